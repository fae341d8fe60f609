import { setTimeout as delay } from 'node:timers/promises';
import { RpcError, type StatusName } from '../../proto/index.js';
import type { Logger } from '../platform/log.js';

export interface RetryOptions {
  /** Ends the waiting; what it was aborted with is thrown. */
  signal: AbortSignal;
  log: Logger;
  /** Who is waited for, for the log. */
  service: string;
  /** Told once, in words for people, when there is a need to wait. */
  onWait?: (text: string) => void;
  sleep?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  random?: () => number;
}

const backoffMsMin = 100;
const backoffMsMax = 10_000;
/** Statuses that say nothing about the request: the other side was away, or did not get round to it. */
const transient: readonly StatusName[] = ['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'ABORTED'];

export function isTransient(error: unknown): boolean {
  return error instanceof RpcError && transient.includes(error.code);
}

/** Calls until the other service is there, waiting longer each time. Every other failure is thrown at once. */
export async function retryWhileUnavailable<Result>(
  call: () => Promise<Result>,
  options: RetryOptions,
): Promise<Result> {
  const { signal, log, service, onWait, sleep = sleepFor, random = Math.random } = options;
  for (let backoffMs = backoffMsMin; ; backoffMs = Math.min(backoffMs * 2, backoffMsMax)) {
    signal.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      signal.throwIfAborted();
      if (!isTransient(error)) {
        throw error;
      }
      // Jitter keeps several waiting services from coming back at the same instant.
      const waitMs = Math.round(backoffMs * (0.5 + random() / 2));
      log.warn({ service, reason: (error as Error).message, waitMs }, 'service unavailable, waiting');
      if (backoffMs === backoffMsMin) {
        onWait?.(`The ${service} service does not answer (${(error as Error).message}). The job waits for it.`);
      }
      await sleep(waitMs, signal);
    }
  }
}

async function sleepFor(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(milliseconds, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
