import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { createLog } from '../../../services/platform/log.js';
import type { Happening, KeptEvent } from '../../../services/training/job.js';
import { BoardEvents } from '../../../services/training/tensorboard/board-events.js';
import { crc32c } from '../../../services/training/tensorboard/crc32c.js';
import { type BoardEvent, toRecord } from '../../../services/training/tensorboard/event-record.js';
import { TensorBoardFolder } from '../../../services/training/tensorboard/tensorboard-folder.js';
import { tempFolder } from '../../support/temp-folder.js';

/** Made by test/golden/make_tensorboard_golden.py. */
const golden = JSON.parse(readFileSync(new URL('../../golden/tensorboard.json', import.meta.url), 'utf8')) as {
  events: BoardEvent[];
  file: string;
};
const epoch = (number: number): Happening => ({
  ...{ kind: 'epoch', epoch: number, epochs: 2, steps: 10, loss: 0.5, accuracy: null, validationLoss: 0.75 },
  ...{ validationAccuracy: null, seconds: 1, examplesPerSecond: 10, remainingSeconds: 3, learningRate: 0.1 },
  ...{ gradientNorm: 1, weightNorm: 2, validationMetrics: { macro_f1: 0.25 } },
});
const step: Happening = {
  ...{ kind: 'step', epoch: 2, step: 3, stepsPerEpoch: 10, loss: 0.25, accuracy: 0.5, examplesPerSecond: 20 },
  ...{ remainingSeconds: 1, learningRate: 0.1 },
};
const happenings: Happening[] = [
  { kind: 'stateChange', state: 'training' },
  epoch(1),
  step,
  { kind: 'resumed', epochsDone: 1, stepsDone: 2 },
  epoch(2),
  { kind: 'test', loss: 0.125, accuracy: null, rowCount: 4 },
  { kind: 'stateChange', state: 'succeeded' },
];
const kept = happenings.map(
  (happening, i): KeptEvent => ({
    ...{ happening, sequence: i + 1, position: i + 1, jobNumber: 1, jobId: 'a', timeMs: 1_000 * i },
  }),
);

it('computes the CRC-32C of RFC 3720', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
});

it("writes the bytes that TensorBoard's own writer writes", () => {
  expect(Buffer.concat(golden.events.map(toRecord)).toString('hex')).toBe(golden.file);
});

it('keeps the curves of folds, and their scores, apart', () => {
  const board = new BoardEvents();
  const ofFold: Happening[] = [
    { ...(epoch(1) as Happening & { kind: 'epoch' }), fold: 2 },
    { kind: 'resumed', epochsDone: 0, stepsDone: 4, fold: 2 },
    { kind: 'fold', fold: 2, folds: 3, rowCount: 5, metrics: { loss: 0.5 } },
  ];
  const entries = ofFold.flatMap((happening, i) => board.next({ ...kept[i]!, happening }));
  expect(entries.map(({ run }) => run)).toEqual([
    ...['fold_2/train', 'fold_2/validation', 'fold_2/train', 'fold_2/validation', 'cross_validation'],
  ]);
  expect(entries[2]!.event).toMatchObject({ restartStep: 5 });
  expect(entries[4]!.event).toMatchObject({ step: 2, scalars: { fold_loss: 0.5 } });
});

it('puts all curves on the axis of steps, and has repeated steps replace those of before', () => {
  const board = new BoardEvents();
  const entries = kept.flatMap((event) => board.next(event));
  expect(entries.map(({ run, event }) => [run, 'step' in event ? event.step : event])).toEqual([
    ['train', 10],
    ['validation', 10],
    ['train', 13],
    ['train', { wallTimeSeconds: 3, restartStep: 13 }],
    ['validation', { wallTimeSeconds: 3, restartStep: 13 }],
    ['train', 20],
    ['validation', 20],
    ['test', 20],
  ]);
  expect(entries[1]).toMatchObject({ event: { scalars: { epoch_loss: 0.75, epoch_macro_f1: 0.25 } } });
  expect(entries[2]).toMatchObject({ event: { scalars: { batch_loss: 0.25, batch_accuracy: 0.5 } } });
});

describe('TensorBoardFolder', () => {
  let folder: string;
  let come: KeptEvent[];
  let board: TensorBoardFolder;

  beforeEach(() => {
    folder = tempFolder();
    come = kept;
    const events = async function* () {
      yield* come;
    };
    board = new TensorBoardFolder(folder, events, createLog('test', 'silent'));
  });

  const files = () => readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const contents = () => files().map(({ parentPath, name }) => readFileSync(path.join(parentPath, name), 'hex'));

  it('writes the same files anew after an interruption, and then takes its mark away', async () => {
    come = kept.slice(0, 4);
    const left = new AbortController();
    left.abort();
    await board.write('a', left.signal);
    expect(files().map(({ name }) => name)).toContain('.unfinished');
    come = kept;
    await board.write('a', new AbortController().signal);
    const whole = contents();
    expect(files()).toHaveLength(3);
    await board.write('a', new AbortController().signal);
    expect(contents()).toEqual(whole);
  });

  it('completes what a kill left of an ended job, and removes what it left of a deleted one', async () => {
    await board.write('a', new AbortController().signal);
    const whole = contents();
    writeFileSync(path.join(folder, 'a/.unfinished'), '');
    writeFileSync(path.join(folder, 'a/train/events.out.tfevents.0000000000.millrace'), 'torn');
    await board.write('b', new AbortController().signal);
    await board.recover(async (id) => (id === 'a' ? true : null));
    expect(contents()).toEqual(whole);
    await board.remove('a');
    expect(files()).toEqual([]);
  });

  it('costs a job nothing when it cannot write', async () => {
    writeFileSync(path.join(folder, 'a'), 'in the way');
    await board.write('a', new AbortController().signal);
    expect(contents()).toHaveLength(1);
  });
});
