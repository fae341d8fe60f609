import { quote, Violations } from '../platform/errors.js';
import type { LogSettings, LogSettingValue, RequestLogSettings, RequestSampling, SettingTexts } from './control.js';

/** Settings of Triton's that have one value here: it may be given, and no other. */
const fixedLog: Record<string, string> = { log_format: 'ISO8601', log_file: '' };
const fixedTrace: Record<string, string> = { trace_file: '', log_frequency: '0', trace_mode: 'triton' };

export const startingSampling: RequestSampling = { isOn: false, rate: 1_000, count: null };

/** Settings after `changes`, by Triton's names; those that this server has no other value for are refused. */
export function changeLogSettings(before: LogSettings, changes: ReadonlyMap<string, LogSettingValue>): LogSettings {
  const violations = new Violations();
  const after = { ...before };
  for (const [name, value] of changes) {
    const field = `settings[${quote(name)}]`;
    if (name === 'log_verbose_level') {
      if (violations.check(Number.isInteger(value) && Number(value) >= 0, field, 'a whole number from 0', value)) {
        after.verboseLevel = Number(value);
      }
    } else if (name === 'log_info' || name === 'log_warning' || name === 'log_error') {
      if (violations.check(typeof value === 'boolean', field, 'true or false', value)) {
        after[logFlags[name]] = Boolean(value);
      }
    } else if (name in fixedLog) {
      violations.check(value === fixedLog[name], field, `${quote(fixedLog[name])}, the only value here`, value);
    } else {
      const known = [...Object.keys(logFlags), 'log_verbose_level', ...Object.keys(fixedLog)];
      violations.add(field, `Expected \`settings\` to name ${known.join(', ')} but received ${quote(name)}.`);
    }
  }
  const isOrdered = (!after.logInfo || after.logWarning) && (!after.logWarning || after.logError);
  if (!isOrdered) {
    const description =
      'Expected what is logged to include what is graver (log_info with log_warning, log_warning with log_error) but a graver level is off.';
    violations.add('settings', description);
  }
  violations.throwIfAny();
  return after;
}

const logFlags = { log_info: 'logInfo', log_warning: 'logWarning', log_error: 'logError' } as const;

/** The level that our log knows these settings by. */
export function levelOf({ logError, logWarning, logInfo, verboseLevel }: LogSettings): string {
  if (verboseLevel > 0) {
    return verboseLevel > 1 ? 'trace' : 'debug';
  }
  return logInfo ? 'info' : logWarning ? 'warn' : logError ? 'error' : 'silent';
}

export function logSettingTexts(settings: LogSettings): Map<string, boolean | number | string> {
  return new Map<string, boolean | number | string>([
    ['log_file', fixedLog.log_file!],
    ['log_info', settings.logInfo],
    ['log_warning', settings.logWarning],
    ['log_error', settings.logError],
    ['log_verbose_level', settings.verboseLevel],
    ['log_format', fixedLog.log_format!],
  ]);
}

/** @param model empty: settings of the server. An empty value goes back to that of the server, or to the one it started with */
export function changeRequestLog(before: RequestLogSettings, model: string, changes: SettingTexts): RequestLogSettings {
  const fallback = model === '' ? startingSampling : before.server;
  const sampling = { ...(before.models.get(model) ?? before.server) };
  const violations = new Violations();
  for (const [name, value] of changes) {
    changeSampling(sampling, fallback, name, value, violations);
  }
  violations.throwIfAny();
  if (model === '') {
    return { ...before, server: sampling };
  }
  const models = new Map(before.models);
  if ([...changes.values()].every((value) => value.length === 0)) {
    models.delete(model);
  } else {
    models.set(model, sampling);
  }
  return { ...before, models };
}

function changeSampling(
  sampling: RequestSampling,
  fallback: RequestSampling,
  name: string,
  value: readonly string[],
  violations: Violations,
): void {
  const field = `settings[${quote(name)}]`;
  const [text = ''] = value;
  const isReset = value.length === 0;
  if (name === 'trace_level') {
    const isKnown = value.every((level) => level === 'OFF' || level === 'TIMESTAMPS');
    if (violations.check(isKnown, field, 'OFF or TIMESTAMPS (tensors are not logged)', value)) {
      sampling.isOn = isReset ? fallback.isOn : value.includes('TIMESTAMPS');
    }
  } else if (name === 'trace_rate') {
    const isCount = value.length <= 1 && (isReset || (/^\d{1,9}$/.test(text) && Number(text) >= 1));
    if (violations.check(isCount, field, 'one whole number from 1', value)) {
      sampling.rate = isReset ? fallback.rate : Number(text);
    }
  } else if (name === 'trace_count') {
    if (
      violations.check(
        value.length <= 1 && (isReset || /^(-1|\d{1,15})$/.test(text)),
        field,
        'one whole number from -1',
        value,
      )
    ) {
      sampling.count = isReset ? fallback.count : text === '-1' ? null : Number(text);
    }
  } else if (name in fixedTrace) {
    violations.check(
      isReset || text === fixedTrace[name],
      field,
      `${quote(fixedTrace[name])}, the only value here`,
      value,
    );
  } else {
    const known = ['trace_level', 'trace_rate', 'trace_count', ...Object.keys(fixedTrace)];
    violations.add(field, `Expected \`settings\` to name ${known.join(', ')} but received ${quote(name)}.`);
  }
}

export function requestLogTexts(settings: RequestLogSettings, model: string): SettingTexts {
  const { isOn, rate, count } = settings.models.get(model) ?? settings.server;
  return new Map([
    ['trace_level', [isOn ? 'TIMESTAMPS' : 'OFF']],
    ['trace_rate', [String(rate)]],
    ['trace_count', [String(count ?? -1)]],
    ...Object.entries(fixedTrace).map(([name, value]): [string, string[]] => [name, [value]]),
  ]);
}
