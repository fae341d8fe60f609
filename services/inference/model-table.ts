import { ServiceError } from '../platform/errors.js';
import type { Deployment } from './registry.js';

/** The alias that answers when no version is asked for. */
export const defaultAlias = 'champion';

export type VersionState = 'LOADING' | 'READY' | 'UNAVAILABLE';

export interface VersionStatus {
  version: number;
  state: VersionState;
  /** Why it is UNAVAILABLE; else empty. */
  reason: string;
}

/** What every worker is told of a model: plain data that crosses processes. */
export interface ModelTable {
  name: string;
  /** Load id of the version that answers, by what a caller asks for: a number, an alias, or nothing. */
  routes: ReadonlyMap<string, number>;
  /** The number that each alias points to, whether or not that version answers already. */
  aliases: ReadonlyMap<string, number>;
  /** Ascending. */
  versions: readonly VersionStatus[];
  deployment: Deployment;
  /** Taken out of service by hand: nothing answers until it is loaded again. */
  unloaded: boolean;
}

/** Why no version answers to `asked`. The wording is Triton's, whose clients may look for it. */
export function explainMissing(table: ModelTable, asked: string): ServiceError {
  const { name, aliases, versions, routes } = table;
  if (table.unloaded) {
    return unavailable(`'${name}' has no available versions: it was unloaded. RepositoryModelLoad brings it back`);
  }
  const target = aliases.get(asked || defaultAlias) ?? null;
  const number = target ?? (/^[1-9]\d{0,14}$/.test(asked) ? Number(asked) : null);
  const status = number === null ? undefined : versions.find(({ version }) => version === number);
  if (target !== null || status) {
    const state = status?.state === 'UNAVAILABLE' ? `It cannot be loaded: ${status.reason}.` : 'It is being loaded.';
    return unavailable(`'${name}' version ${number} is not at ready state. ${state}`);
  }
  if (asked === '') {
    return unavailable(`'${name}' has no available versions`);
  }
  const names = [...routes.keys()].filter((route) => route !== '');
  const served = names.length > 0 ? `Served are ${names.join(', ')}.` : 'None is served.';
  const message = `Request for unknown model: '${name}' version ${asked} is not found. ${served}`;
  return new ServiceError('NOT_FOUND', 'MODEL_VERSION_NOT_FOUND', message);
}

function unavailable(reason: string): ServiceError {
  return new ServiceError('UNAVAILABLE', 'MODEL_NOT_READY', `Request for unknown model: ${reason}`);
}
