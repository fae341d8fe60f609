import { describe, expect, it } from 'vitest';
import { RpcError, type StatusName } from '../../../proto/index.js';
import { createLog } from '../../../services/platform/log.js';
import { retryWhileUnavailable } from '../../../services/training/retry.js';

const failure = (code: StatusName) => new RpcError(code, 'no', { reason: '', fieldViolations: [] });

/** Calls a function that fails with these codes and then answers `done`. */
async function run(codes: StatusName[], abort = new AbortController()) {
  const waits: number[] = [];
  let calls = 0;
  const result = await retryWhileUnavailable(
    async () => {
      const code = codes[calls++];
      if (code) {
        throw failure(code);
      }
      return 'done';
    },
    {
      signal: abort.signal,
      log: createLog('test', 'silent'),
      service: 'registry',
      random: () => 1,
      sleep: async (milliseconds) => {
        waits.push(milliseconds);
        if (waits.length === 20) {
          abort.abort(new Error('enough'));
        }
      },
    },
  );
  return { result, waits, calls };
}

describe('retryWhileUnavailable', () => {
  it.each<StatusName>(['INVALID_ARGUMENT', 'NOT_FOUND', 'RESOURCE_EXHAUSTED', 'INTERNAL'])(
    'throws %s at once',
    async (code) => {
      await expect(run([code])).rejects.toMatchObject({ code });
    },
  );

  it('stops when its signal is aborted', async () => {
    await expect(run(new Array(100).fill('UNAVAILABLE'))).rejects.toThrow('enough');
    const aborted = new AbortController();
    aborted.abort(new Error('before'));
    await expect(run([], aborted)).rejects.toThrow('before');
  });

  it('waits longer each time, up to ten seconds', async () => {
    const { result, waits } = await run(new Array(9).fill('UNAVAILABLE'));
    expect(result).toBe('done');
    expect(waits).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
  });

  it('takes a deadline for a service that is away', async () => {
    expect(await run(['DEADLINE_EXCEEDED', 'ABORTED'])).toMatchObject({ result: 'done', calls: 3 });
  });
});
