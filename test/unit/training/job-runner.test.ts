import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { RpcError } from '../../../proto/index.js';
import { type Kysely, openDatabase } from '../../../services/platform/database.js';
import { createLog } from '../../../services/platform/log.js';
import { CheckpointStore } from '../../../services/training/checkpoint-store.js';
import type { Happening, TrainingEvent } from '../../../services/training/job.js';
import type { TensorSource } from '../../../services/training/job-examples.js';
import { JobRunner } from '../../../services/training/job-runner.js';
import { JobStore } from '../../../services/training/job-store.js';
import type { Publication } from '../../../services/training/registry-client.js';
import type { ModelPublisher } from '../../../services/training/run-dependencies.js';
import { migrations, type Schema } from '../../../services/training/schema.js';
import { resolveSpec } from '../../../services/training/spec-resolution.js';
import { rowWeights } from '../../../services/training/trainer-options.js';
import { TrainingMetrics } from '../../../services/training/training-metrics.js';
import type { SpecDraft } from '../../../services/training/training-spec.js';
import { tempFolder } from '../../support/temp-folder.js';
import { fittedPipeline, newJob, validDraft } from './spec-draft.js';

const rowCounts = { train: 64, validation: 16, test: 16 };
const board = { write: async () => undefined, remove: async () => undefined };
const log = createLog('test', 'silent');
const diskFull = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });

/** Two classes: a row is of class 1 when its first value is the larger one. */
const twoClasses: TensorSource = {
  tensors: async (pipeline, _, split) => {
    const rows = pipeline.rowCounts[split];
    const features = Float32Array.from({ length: rows * 2 }, (_value, i) => ((i * 7_919) % 101) / 101);
    const targets = Int32Array.from({ length: rows }, (_value, i) => (features[2 * i]! > features[2 * i + 1]! ? 1 : 0));
    return { rows, features, targets };
  },
};

describe('JobRunner', () => {
  let database: Kysely<Schema>;
  let store: JobStore;
  let checkpoints: CheckpointStore;
  let published: Publication[];
  let registry: ModelPublisher;
  let preprocessing: TensorSource;
  let cancelled: AbortController;
  let paused: AbortController;
  let stopping: AbortController;

  beforeEach(async () => {
    const folder = tempFolder();
    database = await openDatabase<Schema>(path.join(folder, 'training.db'), migrations);
    store = new JobStore(database, () => 0);
    checkpoints = await CheckpointStore.open(path.join(folder, 'checkpoints'));
    published = [];
    registry = {
      publish: async (publication) => {
        published.push(publication);
        return { name: 'models/m/versions/1', promotion: null };
      },
    };
    preprocessing = twoClasses;
    cancelled = new AbortController();
    paused = new AbortController();
    stopping = new AbortController();
    return () => database.destroy();
  });

  function spec(changes: Partial<SpecDraft> = {}, rows = rowCounts) {
    const layers = [{ type: 'dense' as const, units: 2, activation: 'softmax' as const, kernelInitializer: null }];
    const numbers = { featureCount: 2, featureScale: 1, featureOffset: 0, featureType: 'float32' } as const;
    const pipeline = fittedPipeline({ ...numbers, classes: ['0', '1'], rowCounts: rows });
    return { spec: resolveSpec(validDraft({ layers, epochs: 3, ...changes }), pipeline), pipeline };
  }

  async function create(changes: Partial<SpecDraft> = {}, rows = rowCounts): Promise<void> {
    await store.create(newJob(spec(changes, rows)));
  }

  /** Claims and runs the job; answers what happened to it, first to last. */
  async function run(): Promise<Happening[]> {
    const claimed = (await store.claimNext())!;
    const metrics = new TrainingMetrics(() => store.countByState());
    const runner = new JobRunner(store, { history: store, preprocessing, registry, checkpoints, board, metrics, log });
    const signals = { cancelled: cancelled.signal, paused: paused.signal, stopping: stopping.signal };
    await runner.run(claimed, 1, signals);
    return (await store.events(claimed.job.number, 0, 1_000)).map(({ happening }: TrainingEvent) => happening);
  }

  const kinds = (happenings: Happening[]) =>
    happenings
      .filter(({ kind }) => !['step', 'checkpoint', 'log'].includes(kind))
      .map((happening) => (happening.kind === 'stateChange' ? happening.state : happening.kind));

  it('fails with the reason when the disk is full', async () => {
    await create();
    checkpoints.write = () => Promise.reject(diskFull);
    expect((await run()).at(-1)).toMatchObject({
      state: 'failed',
      error: { code: 'RESOURCE_EXHAUSTED', message: expect.stringContaining('disk is full') },
    });
    expect(published).toEqual([]);
  });

  it('fails with what another service refuses', async () => {
    await create();
    registry.publish = () => Promise.reject(new RpcError('NOT_FOUND', 'gone', { reason: '', fieldViolations: [] }));
    expect((await run()).at(-1)).toMatchObject({ state: 'failed', error: { code: 'NOT_FOUND', message: 'gone' } });
  });

  it('tells nobody the words of an unforeseen error', async () => {
    await create();
    preprocessing = { tensors: () => Promise.reject(new Error('secret')) };
    const error = { code: 'INTERNAL', message: 'Internal error (job a).' };
    expect((await run()).at(-1)).toMatchObject({ state: 'failed', error });
  });

  it('fails on a label outside of the classes', async () => {
    await create();
    preprocessing = {
      tensors: async (...asked) => ({ ...(await twoClasses.tensors(...asked)), targets: new Int32Array(64).fill(2) }),
    };
    expect((await run()).at(-1)).toMatchObject({ state: 'failed', error: { code: 'INVALID_ARGUMENT' } });
  });

  it('begins nothing that was cancelled before', async () => {
    await create();
    cancelled.abort();
    expect(kinds(await run())).toEqual(['queued', 'preparing', 'cancelled']);
  });

  it('leaves a job as it is when the service stops', async () => {
    await create();
    stopping.abort();
    expect(kinds(await run())).toEqual(['queued', 'preparing']);
  });

  it('removes the checkpoint of an ended job', async () => {
    await create();
    await run();
    expect(await checkpoints.read('a')).toBeNull();
  });

  it('goes on from the checkpoint, and then publishes the very same files', async () => {
    await create();
    registry.publish = async (publication) => {
      published.push(publication);
      stopping.abort();
      throw new RpcError('UNAVAILABLE', 'away', { reason: '', fieldViolations: [] });
    };
    expect(kinds(await run()).at(-1)).toBe('publishing');
    stopping = new AbortController();
    registry.publish = async (publication) => {
      published.push(publication);
      return { name: 'models/m/versions/1', promotion: null };
    };
    preprocessing = { tensors: () => Promise.reject(new Error('not needed any more')) };
    expect(kinds(await run()).slice(-3)).toEqual(['publishing', 'resumed', 'succeeded']);
    expect(published[1]).toEqual(published[0]);
  });

  it('pauses within a step, and goes on with the next one to the same files', async () => {
    const rows = { train: 400_000, validation: 16, test: 16 };
    const changes = { epochs: 3, batchSize: 8 };
    await create(changes, rows);
    await run();
    await store.remove('a');
    await create(changes, rows);
    const append = store.append.bind(store);
    store.append = async (number, happenings) => {
      await append(number, happenings);
      if (happenings.some((happening) => happening.kind === 'stateChange' && happening.state === 'training')) {
        setTimeout(() => paused.abort(), 3);
      }
    };
    const stepsDone: number[] = [];
    for (let end = ''; end !== 'succeeded'; ) {
      paused = new AbortController();
      const happenings = await run();
      stepsDone.push(...happenings.flatMap((happening) => (happening.kind === 'resumed' ? happening.stepsDone : [])));
      end = kinds(happenings).at(-1)!;
      if (end !== 'succeeded') {
        expect(end).toBe('queued');
        expect(await checkpoints.read('a')).not.toBeNull();
      }
    }
    expect(stepsDone.some((steps) => steps > 0)).toBe(true);
    expect(published[1]!.artifacts['model.safetensors']).toEqual(published[0]!.artifacts['model.safetensors']);
    expect(published[1]!.metrics).toEqual(published[0]!.metrics);
  });

  it('does no epoch again when it is paused between two', async () => {
    await create({ epochs: 6 });
    const append = store.append.bind(store);
    store.append = async (number, happenings) => {
      await append(number, happenings);
      if (happenings.some(({ kind }) => kind === 'epoch')) {
        paused.abort();
      }
    };
    for (let end = ''; end !== 'succeeded'; ) {
      paused = new AbortController();
      end = kinds(await run()).at(-1)!;
    }
    const events = (await store.events((await store.get('a')).number, 0, 1_000)).map(({ happening }) => happening);
    const epochs = events.flatMap((happening) => (happening.kind === 'epoch' ? happening.epoch : []));
    expect(epochs).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('is paused although its last step cannot be written: earlier checkpoints stay whole', async () => {
    await create({ epochs: 1_000 }, { train: 64_000, validation: 0, test: 0 });
    const write = checkpoints.write.bind(checkpoints);
    checkpoints.write = async (...checkpoint) => {
      await write(...checkpoint);
      checkpoints.write = () => Promise.reject(diskFull);
      paused.abort();
    };
    await store.requestPause('a').catch(() => undefined);
    await store.requestResume('a');
    expect(kinds(await run()).slice(-2)).toEqual(['paused', 'queued']);
    expect(await checkpoints.read('a')).toMatchObject({ epochsDone: 1 });
  });

  it('publishes nothing when the cancellation was kept just before publishing began', async () => {
    await create();
    const append = store.append.bind(store);
    store.append = async (number, happenings) => {
      if (happenings.some((happening) => happening.kind === 'stateChange' && happening.state === 'publishing')) {
        await store.requestCancel('a');
        cancelled.abort();
      }
      await append(number, happenings);
    };
    expect(kinds(await run()).slice(-2)).toEqual(['publishing', 'cancelled']);
    expect(published).toEqual([]);
  });

  it('measures more rows than go at once as it measures few', async () => {
    await create({ epochs: 1 }, { train: 64, validation: 100_000, test: 16 });
    // All rows are alike, so that the mean over any of them is the same.
    preprocessing = {
      tensors: async (pipeline, _, split) => {
        const rows = pipeline.rowCounts[split];
        return { rows, features: new Float32Array(rows * 2).fill(0.5), targets: new Int32Array(rows).fill(1) };
      },
    };
    const happenings = await run();
    const epoch = happenings.find(({ kind }) => kind === 'epoch') as { validationLoss: number };
    const test = happenings.find(({ kind }) => kind === 'test') as { loss: number };
    expect(epoch.validationLoss).toBeCloseTo(test.loss, 6);
  });

  it('starts over when the checkpoint is of another engine', async () => {
    await create();
    await store.claimNext();
    await checkpoints.write('a', {
      epochsDone: 2,
      stepsDone: 0,
      epochSeconds: 0,
      secondsDone: 0,
      stopping: null,
      trainerState: Uint8Array.of(1, 2, 3),
    });
    const happenings = await run();
    expect(happenings).toContainEqual({ kind: 'resumed', epochsDone: 0, stepsDone: 0 });
    expect(kinds(happenings).at(-1)).toBe('succeeded');
  });

  it('needs neither validation nor test rows', async () => {
    await create({}, { train: 64, validation: 0, test: 0 });
    const happenings = await run();
    const epochs = ['epoch', 'epoch', 'epoch'];
    expect(kinds(happenings)).toEqual([
      'queued',
      'preparing',
      'training',
      ...epochs,
      'trainingEnd',
      'publishing',
      'succeeded',
    ]);
    expect(happenings.find(({ kind }) => kind === 'epoch')).toMatchObject({ validationLoss: null });
    expect(Object.keys(published[0]!.metrics).sort()).toEqual(['train_accuracy', 'train_loss']);
  });

  it('tells what became of the aliases', async () => {
    const promoteIf = 'accuracy >= champion + 0.9';
    registry.publish = async () => ({
      name: 'models/m/versions/2',
      promotion: { isPromoted: false, comparedVersion: 1, bound: 1.7000000000000002 },
    });
    await create({ publish: { model: 'models/m', aliases: ['champion'], promoteIf } });
    const happenings = await run();
    expect(happenings.at(-1)).toMatchObject({ state: 'succeeded' });
    expect(happenings.at(-2)).toMatchObject({
      severity: 'info',
      text: expect.stringMatching(
        /^`accuracy >= champion \+ 0.9` does not hold: test_accuracy is [\d.]+, compared with 1.7 \(version 1 is champion\)/,
      ),
    });
  });

  it('measures no accuracy of a number', async () => {
    await create({
      pipeline: { labelKind: 'number', message: {} },
      layers: [{ type: 'dense' as const, units: 1, activation: 'linear', kernelInitializer: null }],
      loss: 'meanSquaredError',
      optimizer: { type: 'gradientDescent' },
    });
    preprocessing = {
      tensors: async (...asked) => {
        const { rows, features } = await twoClasses.tensors(...asked);
        return { rows, features, targets: Float32Array.from({ length: rows }, (_, i) => features[2 * i]!) };
      },
    };
    const happenings = await run();
    expect(kinds(happenings).at(-1)).toBe('succeeded');
    const measured = happenings.filter(({ kind }) => ['step', 'epoch', 'test'].includes(kind));
    expect(measured.every((happening) => (happening as { accuracy: unknown }).accuracy === null)).toBe(true);
  });

  const weightsOf = (publication: Publication) => Buffer.from(publication.artifacts['model.safetensors']!);
  const evaluationOf = (publication: Publication) =>
    (JSON.parse(Buffer.from(publication.artifacts['report.json']!).toString()) as { evaluation: unknown }).evaluation;
  const ended = (happenings: Happening[]) => happenings.find(({ kind }) => kind === 'trainingEnd');
  const epochsOf = (happenings: Happening[]) => happenings.filter((happening) => happening.kind === 'epoch');

  /** Trains what is wrong on the rows for validation: the longer, the worse. */
  const misleading: TensorSource = {
    tensors: async (pipeline, kind, split, signal) => {
      const tensors = await twoClasses.tensors(pipeline, kind, split, signal);
      return split === 'validation' ? { ...tensors, targets: tensors.targets.map((target) => 1 - target) } : tensors;
    },
  };

  it('stops early and goes back to the best epoch, to the same bits after an interruption', async () => {
    preprocessing = misleading;
    const optimizer = { type: 'sgd', learningRate: 0.5, momentum: 0.9 } as const;
    const earlyStopping = { patience: 3 };
    await create({ epochs: 1, optimizer });
    await run();
    await store.create(newJob({ id: 'b', ...spec({ epochs: 50, optimizer, earlyStopping }) }));
    const append = store.append.bind(store);
    store.append = async (number, happenings) => {
      await append(number, happenings);
      if (happenings.some((happening) => happening.kind === 'epoch' && happening.epoch === 2)) {
        stopping.abort();
      }
    };
    expect(ended(await run())).toBeUndefined();
    store.append = append;
    stopping = new AbortController();
    expect(ended(await run())).toEqual({
      kind: 'trainingEnd',
      reason: 'earlyStopping',
      epoch: 4,
      steps: 8,
      restoredEpoch: 1,
    });
    expect(weightsOf(published[1]!)).toEqual(weightsOf(published[0]!));
    expect(published[1]!.metrics.validation_loss).toBe(published[0]!.metrics.validation_loss);
  });

  it('ends within an epoch after as many steps as were asked for', async () => {
    await create({ epochs: 0, steps: 5 });
    const happenings = await run();
    expect(ended(happenings)).toEqual({ kind: 'trainingEnd', reason: 'steps', epoch: 3, steps: 5, restoredEpoch: 3 });
    expect(epochsOf(happenings)).toMatchObject([{ epochs: 3 }, { epochs: 3 }, { epochs: 3 }]);
  });

  it('ends when the time is up', async () => {
    await create({ epochs: 0, seconds: 1e-9 });
    const happenings = await run();
    expect(ended(happenings)).toMatchObject({ reason: 'seconds', epoch: 1 });
    expect(epochsOf(happenings)).toMatchObject([{ epochs: 0, remainingSeconds: 0 }]);
    expect(kinds(happenings).at(-1)).toBe('succeeded');
  });

  it('validates every so many epochs, and after the last', async () => {
    await create({ epochs: 5, validation: { everyEpochs: 2 } });
    const measured = epochsOf(await run()).map(({ validationLoss }) => validationLoss !== null);
    expect(measured).toEqual([false, true, false, true, true]);
  });

  it('tells a plateau of the losses', async () => {
    const plateau = { patience: 0, factor: 1e-6, minimumDelta: 1e6 };
    await create({ epochs: 4, optimizer: { type: 'sgd' }, schedule: { type: 'plateau', ...plateau } });
    const losses = epochsOf(await run()).map(({ validationLoss }) => validationLoss!);
    // The rate falls to next to nothing after the second epoch.
    expect(losses[1]! - losses[0]!).not.toBe(0);
    expect(Math.abs(losses[3]! - losses[2]!)).toBeLessThan(1e-7);
  });

  it('trains with class weights, which rows for validation do not have', async () => {
    await create({ classWeights: { 1: 0 } });
    const happenings = await run();
    expect(kinds(happenings).at(-1)).toBe('succeeded');
    // Rows of class 1 cost nothing, so all is taken for class 0.
    const [first, , last] = epochsOf(happenings);
    expect(last!.loss).toBeLessThan(first!.loss);
    expect(last!.validationLoss!).toBeGreaterThan(last!.loss);
  });

  it('publishes and measures the average of the weights', async () => {
    const weights: Buffer[] = [];
    for (const [i, averaging] of [null, { decay: 0 }, { decay: 0.9 }].entries()) {
      await store.create(newJob({ id: `job${i}`, ...spec({ epochs: 2, averaging }) }));
      await run();
      weights.push(weightsOf(published[i]!));
    }
    // An average that keeps nothing is the weights themselves.
    expect(weights[1]).toEqual(weights[0]);
    expect(weights[2]).not.toEqual(weights[0]);
    expect(published[2]!.metrics.test_loss).not.toBe(published[0]!.metrics.test_loss);
    // The report is of the same weights as the loss that the engine tells.
    for (const { metrics } of published) {
      expect(metrics.test_log_loss).toBeCloseTo(metrics.test_loss!, 5);
    }
  });

  it('evaluates anew what it had not told of when it was interrupted', async () => {
    await create();
    const write = checkpoints.writeEvaluation;
    checkpoints.writeEvaluation = async () => {
      stopping.abort();
      throw new Error('killed');
    };
    expect(kinds(await run()).at(-1)).toBe('testing');
    checkpoints.writeEvaluation = write;
    stopping = new AbortController();
    await run();
    await store.create(newJob({ id: 'undisturbed', ...spec() }));
    await run();
    const [interrupted, undisturbed] = published.map(evaluationOf);
    expect(interrupted).toEqual(undisturbed);
    expect(undisturbed).toHaveProperty('temperature.value');
  });
});

describe('rowWeights', () => {
  it('gives each class its factor, or all the same say', () => {
    const targets = Int32Array.of(0, 0, 0, 1);
    expect(rowWeights({ yes: 3 }, ['no', 'yes'], targets)).toEqual(Float32Array.of(1, 1, 1, 3));
    expect(rowWeights('balanced', ['no', 'yes'], targets)).toEqual(Float32Array.of(2 / 3, 2 / 3, 2 / 3, 2));
    expect(rowWeights({}, ['no', 'yes'], targets)).toBeNull();
  });
});
