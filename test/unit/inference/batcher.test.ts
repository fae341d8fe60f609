import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Admission } from '../../../services/inference/admission.js';
import { Batcher } from '../../../services/inference/batcher.js';
import { type BatchingSettings, defaultBatching } from '../../../services/inference/batching-settings.js';
import type { Executable } from '../../../services/inference/executable.js';
import { toBytes, toFloats } from '../../../services/inference/network-executable.js';
import { versionStatistics } from '../../../services/inference/version-statistics.js';

/** Answers each number plus one, refuses numbers below zero, and remembers what it was asked. */
class Increment implements Executable {
  readonly platform = 'test';
  readonly inputs = [{ name: 'input', datatype: 'FP32', shape: [1] }] as const;
  readonly outputs = [{ name: 'output', datatype: 'FP32', shape: [1] }] as const;
  readonly sizeBytes = 0;
  readonly batches: number[][] = [];
  readonly #waiting: (() => void)[] = [];

  constructor(readonly rowWork = 1) {}

  execute([input]: readonly Uint8Array[], rows: number): Uint8Array[] {
    const values = toFloats(input!);
    expect(values.length).toBe(rows);
    this.batches.push([...values]);
    if (values.some((value) => value < 0)) {
      throw new Error(`below zero: ${values}`);
    }
    return [toBytes(values.map((value) => value + 1))];
  }

  async executeAsync(inputs: readonly Uint8Array[], rows: number): Promise<Uint8Array[]> {
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this.execute(inputs, rows);
  }

  dispose(): void {}

  get asideCount(): number {
    return this.#waiting.length;
  }

  finishOne(): void {
    this.#waiting.shift()?.();
  }
}

const here = { throwIfGone: () => {} };
const left = {
  throwIfGone: () => {
    throw new Error('gone');
  },
};
const calm = { priority: 0, timeoutUs: 0 };
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));
const floats = (...values: number[]) => [toBytes(Float32Array.from(values))];

/** Executing aside begins at this many rows. */
const asideWork = 10_000_000;

function makeBatcher(change: Partial<BatchingSettings> = {}, rowWork = 1, rowsMax = 64) {
  const executable = new Increment(rowWork);
  const statistics = versionStatistics();
  const admission = new Admission({ requestsMax: 10_000, bytesMax: 1e9, threadsMax: 1 });
  const batcher = new Batcher(executable, admission, statistics, rowsMax, { ...defaultBatching, ...change });
  const ask = async (values: number[], urgency = calm, caller: typeof here = here) => {
    const [output] = await batcher.submit(floats(...values), values.length, caller, urgency);
    return [...toFloats(output!)];
  };
  return { executable, statistics, batcher, ask };
}

describe('a batcher refuses', () => {
  it('requests beyond the queue of its model, at once', () => {
    const { batcher } = makeBatcher({ queueRequestsMax: 1, queueDelayUsMax: 1e9 });
    void batcher.submit(floats(1), 1, here, calm);
    expect(() => batcher.submit(floats(1), 1, here, calm)).toThrow(/Exceeds maximum queue size/);
  });

  it('a request whose time is over, without computing it', async () => {
    const { executable, ask } = makeBatcher({}, asideWork);
    const first = ask([1]);
    await nextTurn();
    const late = ask([2], { priority: 0, timeoutUs: 0.001 });
    executable.finishOne();
    await expect(late).rejects.toThrow('Request timeout expired');
    await expect(first).resolves.toEqual([2]);
    expect(executable.batches).toEqual([[1]]);
  });

  it('a request whose caller has gone, without computing it', async () => {
    const { executable, ask } = makeBatcher();
    const [gone, other] = [ask([1], calm, left), ask([2])];
    await expect(gone).rejects.toThrow('gone');
    await expect(other).resolves.toEqual([3]);
    expect(executable.batches).toEqual([[2]]);
  });

  it('only the request that the engine refuses, not those beside it', async () => {
    const { ask } = makeBatcher();
    const [good, bad, alsoGood] = [ask([1]), ask([-1]), ask([2])];
    await expect(bad).rejects.toThrow('below zero: -1');
    await expect(good).resolves.toEqual([2]);
    await expect(alsoGood).resolves.toEqual([3]);
  });
});

describe('a batcher', () => {
  it('computes together what came in one turn', async () => {
    const { executable, statistics, ask } = makeBatcher();
    await Promise.all([ask([1]), ask([2, 3]), ask([4])]);
    expect(executable.batches).toEqual([[1, 2, 3, 4]]);
    expect(statistics).toMatchObject({
      executionCount: 1,
      inferenceCount: 4,
      queue: { count: 3 },
      computeInfer: { count: 3 },
      batches: { 4: { count: 1 } },
    });
  });

  it('takes no more rows together than the settings allow', async () => {
    const { executable, ask } = makeBatcher({ rowsMax: 3 });
    await Promise.all([ask([1, 2]), ask([3, 4]), ask([5])]);
    expect(executable.batches).toEqual([
      [1, 2],
      [3, 4, 5],
    ]);
  });

  it('waits for more up to the delay, but goes as soon as a preferred number of rows is there', async () => {
    const { executable, ask } = makeBatcher({ queueDelayUsMax: 1e9, preferredRows: [2, 4] });
    const first = ask([1]);
    await nextTurn();
    expect(executable.batches).toEqual([]);
    await Promise.all([first, ask([2]), ask([3]), ask([4])]);
    expect(executable.batches).toEqual([[1, 2, 3, 4]]);
  });

  it('computes when the delay is over', async () => {
    const { ask } = makeBatcher({ queueDelayUsMax: 1_500 });
    await expect(ask([1])).resolves.toEqual([2]);
  });

  it('computes urgent requests first, and takes an unknown priority for the default', async () => {
    const { executable, ask } = makeBatcher({ rowsMax: 1, priorityLevels: 3, defaultPriority: 2 });
    const asked = [3, 9, 1].map((priority) => ask([priority], { priority, timeoutUs: 0 }));
    await Promise.all(asked);
    expect(executable.batches).toEqual([[1], [9], [3]]);
  });

  it('leaves large batches to another thread, and gathers what comes meanwhile', async () => {
    const { executable, ask } = makeBatcher({}, asideWork);
    const first = ask([1]);
    await nextTurn();
    const others = [ask([2]), ask([3])];
    await nextTurn();
    expect(executable.asideCount).toBe(1);
    executable.finishOne();
    await first;
    await nextTurn();
    executable.finishOne();
    await Promise.all(others);
    expect(executable.batches).toEqual([[1], [2, 3]]);
  });

  it('gives every caller its own rows, whatever the interleaving', async () => {
    const request = fc.record({
      values: fc.array(fc.nat(1_000), { minLength: 1, maxLength: 5 }),
      priority: fc.nat(3),
      turns: fc.nat(2),
      fails: fc.boolean(),
    });
    const settings = fc.record({
      rowsMax: fc.constantFrom(0, 4, 7),
      preferredRows: fc.constantFrom([], [3], [2, 6]),
      priorityLevels: fc.constantFrom(0, 3),
      defaultPriority: fc.constant(2),
    });
    await fc.assert(
      fc.asyncProperty(
        settings,
        fc.constantFrom(1, asideWork),
        fc.array(request, { maxLength: 20 }),
        async (change, rowWork, requests) => {
          const { executable, ask } = makeBatcher(change, rowWork);
          let isDone = false;
          const asked = (async () => {
            const answers = [];
            for (const { values, priority, turns, fails } of requests) {
              const sent = fails ? [...values, -1] : values;
              answers.push(ask(sent, { priority, timeoutUs: 0 }).catch((error: Error) => error.message));
              for (let turn = 0; turn < turns; turn++) {
                await nextTurn();
              }
            }
            return Promise.all(answers);
          })().finally(() => {
            isDone = true;
          });
          while (!isDone) {
            executable.finishOne();
            await nextTurn();
          }
          const expected = requests.map(({ values, fails }) =>
            fails ? `below zero: ${[...values, -1]}` : values.map((value) => value + 1),
          );
          expect(await asked).toEqual(expected);
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
