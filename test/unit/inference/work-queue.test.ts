import { describe, expect, it } from 'vitest';
import { WorkQueue } from '../../../services/inference/work-queue.js';
import { ServiceError } from '../../../services/platform/errors.js';

const patient = { throwIfGone: () => {} };
const gone = {
  throwIfGone: () => {
    throw new ServiceError('CANCELLED', 'CALL_CANCELLED', 'The call was cancelled.');
  },
};

/** Work that ends when it is told to. */
function work() {
  let finish = () => {};
  let begin = () => {};
  const ended = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const piece = {
    isBegun: false,
    begun: new Promise<void>((resolve) => {
      begin = resolve;
    }),
    finish: () => finish(),
    run: () => {
      piece.isBegun = true;
      begin();
      return ended;
    },
  };
  return piece;
}

describe('WorkQueue', () => {
  it('refuses at once what is beyond its bound, and takes more when there is room', async () => {
    const queue = new WorkQueue(2, 1);
    const [first, second] = [work(), work()];
    const running = [queue.run(patient, first.run), queue.run(patient, second.run)];
    await expect(queue.run(patient, async () => 1)).rejects.toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
      message: expect.stringContaining('maxInFlight'),
    });
    first.finish();
    second.finish();
    await Promise.all(running);
    expect(queue.inFlight).toBe(0);
    expect(await queue.run(patient, async () => 1)).toBe(1);
  });

  it('does not begin work that nobody waits for', async () => {
    const queue = new WorkQueue(4, 1);
    await expect(queue.run(gone, async () => expect.unreachable())).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(await queue.run(patient, async () => 1)).toBe(1);
  });

  it('drops waiting work whose caller has gone, and begins the next', async () => {
    const queue = new WorkQueue(4, 1);
    const first = work();
    const running = queue.run(patient, first.run);
    const dropped = queue.run(gone, async () => expect.unreachable());
    const next = queue.run(patient, async () => 'next');
    first.finish();
    await expect(dropped).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(await next).toBe('next');
    await running;
    expect(queue.inFlight).toBe(0);
  });

  it('begins work in the order it came, as much at a time as it may', async () => {
    const queue = new WorkQueue(8, 2);
    const pieces = [work(), work(), work(), work()];
    const running = pieces.map(({ run }) => queue.run(patient, run));
    await pieces[1]!.begun;
    expect(pieces.map(({ isBegun }) => isBegun)).toEqual([true, true, false, false]);
    pieces[1]!.finish();
    await pieces[2]!.begun;
    expect(pieces[3]!.isBegun).toBe(false);
    for (const piece of pieces) {
      piece.finish();
    }
    await Promise.all(running);
    expect(pieces[3]!.isBegun).toBe(true);
  });

  it('goes on after work that failed', async () => {
    const queue = new WorkQueue(1, 1);
    await expect(queue.run(patient, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await queue.run(patient, async () => 1)).toBe(1);
  });
});
