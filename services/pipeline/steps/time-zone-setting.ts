import { nearest } from '../../platform/nearest-name.js';
import type { SettingReport } from '../step.js';
import { isTimeZone, readTimeZone, type TimeZone } from '../time-zone.js';

/** Notes a name that is no time zone's, with the one that may have been meant. Empty: UTC. */
export function checkTimeZone(name: string, report: SettingReport): void {
  if (name !== '' && !isTimeZone(name)) {
    const guess = nearest(name, Intl.supportedValuesOf('timeZone'));
    const hint = guess ? ` Did you mean ${JSON.stringify(guess)}?` : '';
    const expected = `Expected \`${report.field}.time_zone\` to be a name of the IANA time zone database, like "Europe/Berlin",`;
    report.add('time_zone', `${expected} but received ${JSON.stringify(name)}.${hint}`);
  }
}

/** What a fitted step says of its zone; of UTC nothing. */
export function fittedTimeZone(name: string): { timeZone?: TimeZone } {
  return name === '' ? {} : { timeZone: readTimeZone(name) };
}
