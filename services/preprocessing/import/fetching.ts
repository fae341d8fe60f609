import { ServiceError } from '../../platform/errors.js';

/** What may be fetched. */
export interface FetchRules {
  /** Names of hosts that may be fetched from although they are not in the public network. */
  hosts: readonly string[];
  /** Of an address, with all that is under it. */
  bytesMax: number;
}

/** How far all fetching of an import is; what is counted in advance comes to be known with each address. */
export interface FetchMeter {
  bytesDone: number;
  bytesTotal: number;
}

export const idleMs = 30_000;

/** Passes on and counts what comes, up to `bytesMax`: a server may say less than it sends, or nothing. */
export function counted(shown: string, rules: FetchRules, meter: FetchMeter) {
  return async function* (pieces: AsyncIterable<Buffer>) {
    let bytes = 0;
    for await (const piece of pieces) {
      bytes += piece.length;
      if (bytes > rules.bytesMax) {
        throw tooLarge(shown, rules);
      }
      meter.bytesDone += piece.length;
      yield piece;
    }
  };
}

export function tooLarge(shown: string, { bytesMax }: FetchRules): ServiceError {
  const message = `${shown} was not fetched: expected at most ${bytesMax} bytes (\`downloadBytesMax\`) but there are more.`;
  return new ServiceError('INVALID_ARGUMENT', 'DOWNLOAD_TOO_LARGE', message);
}

export function notFetched(shown: string, problem: string, cause?: unknown): ServiceError {
  return new ServiceError('UNAVAILABLE', 'DOWNLOAD_FAILED', `${shown} was not fetched: ${problem}.`, { cause });
}

/** Whether an error is no fault of the other side. */
export function isOurs(error: unknown): boolean {
  const isKnown = error instanceof ServiceError || (error instanceof Error && error.name === 'AbortError');
  const isDisk = error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
  return isKnown || isDisk;
}
