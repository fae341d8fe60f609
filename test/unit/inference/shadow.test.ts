import { beforeEach, describe, expect, it } from 'vitest';
import {
  type AnsweredRequest,
  mergeShadowCounts,
  type ShadowLimits,
  ShadowQueue,
  type ShadowResult,
  ShadowSample,
  type ShadowVersion,
  shadowCounts,
} from '../../../services/inference/shadow.js';
import { EvenSpread } from '../../../services/inference/traffic.js';

const form = {
  outputs: [{ name: 'output', datatype: 'FP32' as const, shape: [1] }],
  classes: null,
  multiLabel: false,
  numbers: null,
};
const fp32 = (...numbers: number[]) => new Uint8Array(Float32Array.from(numbers).buffer);
const limits: ShadowLimits = { atOnce: 1, waitingMax: 2, bytesMax: 1_000 };
/** Bytes of a request of one row. */
const requestBytes = 12;

/** A shadow whose computations end when a test says. */
class HeldShadow implements ShadowVersion {
  form = form;
  isRetired = false;
  readonly asked: unknown[] = [];
  readonly #held: ((answer: Uint8Array[] | Error) => void)[] = [];

  async compute(inputs: unknown): Promise<Uint8Array[]> {
    this.asked.push(inputs);
    const answer = await new Promise<Uint8Array[] | Error>((resolve) => this.#held.push(resolve));
    if (answer instanceof Error) {
      throw answer;
    }
    return answer;
  }

  async answer(answer: Uint8Array[] | Error): Promise<void> {
    this.#held.shift()!(answer);
    await settle();
  }
}

/** Lets promises that can be resolved be. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

let shadow: HeldShadow;
let results: ShadowResult[];
let later: (() => void)[];
let busy: boolean;
let queue: ShadowQueue;

function makeQueue(more: Partial<ShadowLimits> = {}): ShadowQueue {
  return new ShadowQueue(
    { ...limits, ...more },
    () => busy,
    (work) => later.push(work),
  );
}

beforeEach(() => {
  shadow = new HeldShadow();
  results = [];
  later = [];
  busy = false;
  keptInputs = 0;
  queue = makeQueue();
});

/** Inputs that are kept when there is room for them. */
let keptInputs: number;

function offer(more: Partial<AnsweredRequest> = {}): void {
  const request = { form, rows: 1, outputs: [fp32(3)], inputBytes: 8, ...more };
  const keepInputs = () => {
    const kept = ++keptInputs;
    return () => shadow.compute(kept);
  };
  queue.offer(request, shadow, keepInputs, (result) => results.push(result));
}

function runLater(): void {
  for (const work of later.splice(0)) {
    work();
  }
}

const outcomes = () => results.map(({ outcome }) => outcome);

describe('ShadowQueue', () => {
  it('says that a version of another form has failed, without asking it', () => {
    shadow.form = { ...form, outputs: [{ ...form.outputs[0]!, shape: [2] }] };
    offer();
    runLater();
    expect(outcomes()).toEqual(['failed']);
    expect(shadow.asked).toEqual([]);
    expect(queue.heldBytes).toBe(0);
  });

  it('begins nothing before the answer is on its way', () => {
    offer();
    expect(shadow.asked).toEqual([]);
    runLater();
    expect(shadow.asked).toEqual([1]);
  });

  it('keeps what the answer was, whatever becomes of its memory', async () => {
    const outputs = [Buffer.from(fp32(3))];
    offer({ outputs });
    outputs[0]!.fill(0);
    runLater();
    await shadow.answer([fp32(3)]);
    expect(outcomes()).toEqual(['equal']);
  });

  it('tells equal, different and failed answers apart', async () => {
    const answers: [Uint8Array[] | Error, Partial<ShadowResult>][] = [
      [[fp32(3)], { outcome: 'equal', differenceMax: 0 }],
      [[fp32(3.5)], { outcome: 'different', differenceMax: 0.5 }],
      [new Error('no memory'), { outcome: 'failed', differenceMax: 0, error: new Error('no memory') }],
    ];
    for (const [answer, result] of answers) {
      offer();
      runLater();
      await shadow.answer(answer);
      expect(results.pop()).toMatchObject(result);
      expect(queue.heldBytes).toBe(0);
    }
  });

  it('drops what finds no room to wait, and computes no more at once than it may', async () => {
    for (let i = 0; i < 5; i++) {
      offer();
      runLater();
    }
    expect(shadow.asked).toHaveLength(1);
    expect(outcomes()).toEqual(['dropped', 'dropped']);
    expect(keptInputs).toBe(3);
    expect(queue.heldBytes).toBe(3 * requestBytes);
    for (let i = 0; i < 3; i++) {
      await shadow.answer([fp32(3)]);
    }
    expect(outcomes()).toEqual(['dropped', 'dropped', 'equal', 'equal', 'equal']);
    expect(queue.heldBytes).toBe(0);
  });

  it('holds no more bytes than it may, those being computed among them', async () => {
    queue = makeQueue({ bytesMax: 2 * requestBytes, waitingMax: 100, atOnce: 2 });
    for (let i = 0; i < 10; i++) {
      offer();
      runLater();
    }
    expect(queue.heldBytes).toBe(2 * requestBytes);
    expect(outcomes()).toEqual(Array(8).fill('dropped'));
    await shadow.answer([fp32(3)]);
    offer();
    expect(outcomes()).toEqual([...Array(8).fill('dropped'), 'equal']);
  });

  it('drops while requests wait, also what waited before', () => {
    offer();
    busy = true;
    offer();
    expect(outcomes()).toEqual(['dropped']);
    runLater();
    expect(outcomes()).toEqual(['dropped', 'dropped']);
    expect(shadow.asked).toEqual([]);
    expect(queue.heldBytes).toBe(0);
  });

  it('drops what waits for a version that is no longer served', () => {
    offer();
    shadow.isRetired = true;
    runLater();
    expect(outcomes()).toEqual(['dropped']);
  });

  it('closes when the last computation has ended, and takes nothing more', async () => {
    offer();
    runLater();
    offer();
    let isClosed = false;
    const closed = queue.close().then(() => {
      isClosed = true;
    });
    offer();
    await settle();
    expect(outcomes()).toEqual(['dropped', 'dropped']);
    expect(isClosed).toBe(false);
    await shadow.answer([fp32(3)]);
    await closed;
    expect(outcomes()).toEqual(['dropped', 'dropped', 'equal']);
  });
});

describe('ShadowSample', () => {
  it.each([0.001, 0.2, 0.5, 1])('takes its share: %d', (fraction) => {
    const sample = new ShadowSample(fraction, new EvenSpread(0.3));
    const taken = Array.from({ length: 10_000 }, () => sample.takes()).filter(Boolean).length;
    expect(Math.abs(taken - fraction * 10_000)).toBeLessThanOrEqual(4);
  });
});

it('adds up what processes have counted', () => {
  const sum = shadowCounts();
  mergeShadowCounts(sum, { equal: 1, different: 2, failed: 3, dropped: 4, differenceMax: 0.5 });
  mergeShadowCounts(sum, { equal: 1, different: 0, failed: 0, dropped: 1, differenceMax: 0.25 });
  expect(sum).toEqual({ equal: 2, different: 2, failed: 3, dropped: 5, differenceMax: 0.5 });
});
