import { setTimeout as sleep } from 'node:timers/promises';
import type { contracts, RpcClient } from '../../proto/index.js';

type InferenceClient = Pick<RpcClient<typeof contracts.inference.clientType>, 'repositoryIndex'>;

export interface ServedOptions {
  /** How long to wait; default 30,000. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** A version that inference does not serve, and why. */
export class NotServedError extends Error {
  override readonly name = 'NotServedError';
}

interface Clock {
  now(): number;
  sleep(ms: number, signal?: AbortSignal): Promise<unknown>;
}

const timeoutDefaultMs = 30_000;
const [pollMsMin, pollMsMax] = [20, 500];
const systemClock: Clock = { now: Date.now, sleep: (ms, signal) => sleep(ms, null, { signal }) };

/**
 * Resolves once every worker has a version: inference follows the registry by itself, and loading takes its time.
 * @param name `models/NAME/versions/N`
 * @throws NotServedError where it cannot be loaded, or is not in time; RpcError where inference does not answer
 */
export async function untilServed(
  inference: InferenceClient,
  name: string,
  { timeoutMs = timeoutDefaultMs, signal }: ServedOptions = {},
  clock = systemClock,
): Promise<void> {
  const [, model, , version] = name.split('/');
  const deadline = clock.now() + timeoutMs;
  for (let pauseMs = pollMsMin; ; pauseMs = Math.min(2 * pauseMs, pollMsMax)) {
    const { models } = await inference.repositoryIndex({}, { signal });
    const found = models.find((one) => one.name === model && one.version === version);
    if (found?.state === 'READY') {
      return;
    }
    if (found?.state === 'UNAVAILABLE') {
      throw new NotServedError(`${name} cannot be served: ${found.reason}`);
    }
    if (clock.now() >= deadline) {
      const state = found ? 'it is still being loaded' : 'inference does not know of it';
      throw new NotServedError(`${name} is not served after ${timeoutMs / 1000} s: ${state}`);
    }
    await clock.sleep(pauseMs, signal);
  }
}
