import { beforeEach, describe, expect, it } from 'vitest';
import { RpcError } from '../../../proto/index.js';
import type { Happening } from '../../../services/training/job.js';
import type { TensorSource } from '../../../services/training/job-examples.js';
import type { Publication } from '../../../services/training/registry-client.js';
import { rowWeights } from '../../../services/training/trainer-options.js';
import { diskFull, kinds, RunnerFixture, twoClasses, weightsOf } from './runner-fixture.js';
import { newJob } from './spec-draft.js';

let fixture: RunnerFixture;
beforeEach(async () => {
  fixture = await RunnerFixture.open();
  return () => fixture.close();
});

describe('JobRunner', () => {
  it('fails with the reason when the disk is full', async () => {
    await fixture.create();
    fixture.checkpoints.write = () => Promise.reject(diskFull);
    expect((await fixture.run()).at(-1)).toMatchObject({
      state: 'failed',
      error: { code: 'RESOURCE_EXHAUSTED', message: expect.stringContaining('disk is full') },
    });
    expect(fixture.published).toEqual([]);
  });

  it('fails with what another service refuses', async () => {
    await fixture.create();
    fixture.registry.publish = () =>
      Promise.reject(new RpcError('NOT_FOUND', 'gone', { reason: '', fieldViolations: [] }));
    expect((await fixture.run()).at(-1)).toMatchObject({
      state: 'failed',
      error: { code: 'NOT_FOUND', message: 'gone' },
    });
  });

  it('tells nobody the words of an unforeseen error', async () => {
    await fixture.create();
    fixture.preprocessing = { tensors: () => Promise.reject(new Error('secret')) };
    const error = { code: 'INTERNAL', message: 'Internal error (job a).' };
    expect((await fixture.run()).at(-1)).toMatchObject({ state: 'failed', error });
  });

  it('fails on a label outside of the classes', async () => {
    await fixture.create();
    fixture.preprocessing = {
      tensors: async (...asked) => ({ ...(await twoClasses.tensors(...asked)), targets: new Int32Array(64).fill(2) }),
    };
    expect((await fixture.run()).at(-1)).toMatchObject({ state: 'failed', error: { code: 'INVALID_ARGUMENT' } });
  });

  it('begins nothing that was cancelled before', async () => {
    await fixture.create();
    fixture.cancelled.abort();
    expect(kinds(await fixture.run())).toEqual(['queued', 'preparing', 'cancelled']);
  });

  it('leaves a job as it is when the service stops', async () => {
    await fixture.create();
    fixture.stopping.abort();
    expect(kinds(await fixture.run())).toEqual(['queued', 'preparing']);
  });

  it('removes the checkpoint of an ended job', async () => {
    await fixture.create();
    await fixture.run();
    expect(await fixture.checkpoints.read('a')).toBeNull();
  });

  it('goes on from the checkpoint, and then publishes the very same files', async () => {
    await fixture.create();
    fixture.registry.publish = async (publication) => {
      fixture.published.push(publication);
      fixture.stopping.abort();
      throw new RpcError('UNAVAILABLE', 'away', { reason: '', fieldViolations: [] });
    };
    expect(kinds(await fixture.run()).at(-1)).toBe('publishing');
    fixture.stopping = new AbortController();
    fixture.registry.publish = async (publication) => {
      fixture.published.push(publication);
      return { name: 'models/m/versions/1', promotion: null };
    };
    fixture.preprocessing = { tensors: () => Promise.reject(new Error('not needed any more')) };
    expect(kinds(await fixture.run()).slice(-3)).toEqual(['publishing', 'resumed', 'succeeded']);
    expect(fixture.published[1]).toEqual(fixture.published[0]);
  });

  it('pauses within a step, and goes on with the next one to the same files', async () => {
    const rows = { train: 400_000, validation: 16, test: 16 };
    const changes = { epochs: 3, batchSize: 8 };
    await fixture.create(changes, rows);
    await fixture.run();
    await fixture.store.remove('a');
    await fixture.create(changes, rows);
    const append = fixture.store.append.bind(fixture.store);
    fixture.store.append = async (number, happenings) => {
      await append(number, happenings);
      if (happenings.some((happening) => happening.kind === 'stateChange' && happening.state === 'training')) {
        setTimeout(() => fixture.paused.abort(), 3);
      }
    };
    const stepsDone: number[] = [];
    for (let end = ''; end !== 'succeeded'; ) {
      fixture.paused = new AbortController();
      const happenings = await fixture.run();
      stepsDone.push(...happenings.flatMap((happening) => (happening.kind === 'resumed' ? happening.stepsDone : [])));
      end = kinds(happenings).at(-1)!;
      if (end !== 'succeeded') {
        expect(end).toBe('queued');
        expect(await fixture.checkpoints.read('a')).not.toBeNull();
      }
    }
    expect(stepsDone.some((steps) => steps > 0)).toBe(true);
    expect(fixture.published[1]!.artifacts['model.safetensors']).toEqual(
      fixture.published[0]!.artifacts['model.safetensors'],
    );
    expect(fixture.published[1]!.metrics).toEqual(fixture.published[0]!.metrics);
  });

  it('does no epoch again when it is paused between two', async () => {
    await fixture.create({ epochs: 6 });
    const append = fixture.store.append.bind(fixture.store);
    fixture.store.append = async (number, happenings) => {
      await append(number, happenings);
      if (happenings.some(({ kind }) => kind === 'epoch')) {
        fixture.paused.abort();
      }
    };
    for (let end = ''; end !== 'succeeded'; ) {
      fixture.paused = new AbortController();
      end = kinds(await fixture.run()).at(-1)!;
    }
    const events = (await fixture.store.events((await fixture.store.get('a')).number, 0, 1_000)).map(
      ({ happening }) => happening,
    );
    const epochs = events.flatMap((happening) => (happening.kind === 'epoch' ? happening.epoch : []));
    expect(epochs).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('is paused although its last step cannot be written: earlier checkpoints stay whole', async () => {
    await fixture.create({ epochs: 1_000 }, { train: 64_000, validation: 0, test: 0 });
    const write = fixture.checkpoints.write.bind(fixture.checkpoints);
    fixture.checkpoints.write = async (...checkpoint) => {
      await write(...checkpoint);
      fixture.checkpoints.write = () => Promise.reject(diskFull);
      fixture.paused.abort();
    };
    await fixture.store.requestPause('a').catch(() => undefined);
    await fixture.store.requestResume('a');
    expect(kinds(await fixture.run()).slice(-2)).toEqual(['paused', 'queued']);
    expect(await fixture.checkpoints.read('a')).toMatchObject({ epochsDone: 1 });
  });

  it('publishes nothing when the cancellation was kept just before publishing began', async () => {
    await fixture.create();
    const append = fixture.store.append.bind(fixture.store);
    fixture.store.append = async (number, happenings) => {
      if (happenings.some((happening) => happening.kind === 'stateChange' && happening.state === 'publishing')) {
        await fixture.store.requestCancel('a');
        fixture.cancelled.abort();
      }
      await append(number, happenings);
    };
    expect(kinds(await fixture.run()).slice(-2)).toEqual(['publishing', 'cancelled']);
    expect(fixture.published).toEqual([]);
  });

  it('measures more rows than go at once as it measures few', async () => {
    await fixture.create({ epochs: 1 }, { train: 64, validation: 100_000, test: 16 });
    // All rows are alike, so that the mean over any of them is the same.
    fixture.preprocessing = {
      tensors: async (pipeline, _, split) => {
        const rows = pipeline.rowCounts[split];
        return { rows, features: new Float32Array(rows * 2).fill(0.5), targets: new Int32Array(rows).fill(1) };
      },
    };
    const happenings = await fixture.run();
    const epoch = happenings.find(({ kind }) => kind === 'epoch') as { validationLoss: number };
    const test = happenings.find(({ kind }) => kind === 'test') as { loss: number };
    expect(epoch.validationLoss).toBeCloseTo(test.loss, 6);
  });

  it('starts over when the checkpoint is of another engine', async () => {
    await fixture.create();
    await fixture.store.claimNext();
    await fixture.checkpoints.write(
      'a',
      {
        epochsDone: 2,
        stepsDone: 0,
        epochSeconds: 0,
        secondsDone: 0,
        stopping: null,
        retriesDone: 0,
        needs: [],
        fold: 0,
        scores: [],
        trainerState: Uint8Array.of(1, 2, 3),
      },
      1,
    );
    const happenings = await fixture.run();
    expect(happenings).toContainEqual({ kind: 'resumed', epochsDone: 0, stepsDone: 0 });
    expect(kinds(happenings).at(-1)).toBe('succeeded');
  });

  it('needs neither validation nor test rows', async () => {
    await fixture.create({}, { train: 64, validation: 0, test: 0 });
    const happenings = await fixture.run();
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
    expect(Object.keys(fixture.published[0]!.metrics).sort()).toEqual(['train_accuracy', 'train_loss']);
  });

  it('tells what became of the aliases', async () => {
    const promoteIf = 'accuracy >= champion + 0.9';
    fixture.registry.publish = async () => ({
      name: 'models/m/versions/2',
      promotion: { isPromoted: false, comparedVersion: 1, bound: 1.7000000000000002 },
    });
    await fixture.create({ publish: { model: 'models/m', aliases: ['champion'], promoteIf } });
    const happenings = await fixture.run();
    expect(happenings.at(-1)).toMatchObject({ state: 'succeeded' });
    expect(happenings.at(-2)).toMatchObject({
      severity: 'info',
      text: expect.stringMatching(
        /^`accuracy >= champion \+ 0.9` does not hold: test_accuracy is [\d.]+, compared with 1.7 \(version 1 is champion\)/,
      ),
    });
  });

  it('measures no accuracy of a number', async () => {
    await fixture.create({
      pipeline: { labelKind: 'number', message: {} },
      layers: [{ type: 'dense' as const, units: 1, activation: 'linear', kernelInitializer: null }],
      loss: 'meanSquaredError',
      optimizer: { type: 'gradientDescent' },
    });
    fixture.preprocessing = {
      tensors: async (...asked) => {
        const { rows, features } = await twoClasses.tensors(...asked);
        return { rows, features, targets: Float32Array.from({ length: rows }, (_, i) => features[2 * i]!) };
      },
    };
    const happenings = await fixture.run();
    expect(kinds(happenings).at(-1)).toBe('succeeded');
    const measured = happenings.filter(({ kind }) => ['step', 'epoch', 'test'].includes(kind));
    expect(measured.every((happening) => (happening as { accuracy: unknown }).accuracy === null)).toBe(true);
  });

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
    fixture.preprocessing = misleading;
    const optimizer = { type: 'sgd', learningRate: 0.5, momentum: 0.9 } as const;
    const earlyStopping = { patience: 3 };
    await fixture.create({ epochs: 1, optimizer });
    await fixture.run();
    await fixture.store.create(newJob({ id: 'b', ...fixture.spec({ epochs: 50, optimizer, earlyStopping }) }));
    const append = fixture.store.append.bind(fixture.store);
    fixture.store.append = async (number, happenings) => {
      await append(number, happenings);
      if (happenings.some((happening) => happening.kind === 'epoch' && happening.epoch === 2)) {
        fixture.stopping.abort();
      }
    };
    expect(ended(await fixture.run())).toBeUndefined();
    fixture.store.append = append;
    fixture.stopping = new AbortController();
    expect(ended(await fixture.run())).toEqual({
      kind: 'trainingEnd',
      reason: 'earlyStopping',
      epoch: 4,
      steps: 8,
      restoredEpoch: 1,
    });
    expect(weightsOf(fixture.published[1]!)).toEqual(weightsOf(fixture.published[0]!));
    expect(fixture.published[1]!.metrics.validation_loss).toBe(fixture.published[0]!.metrics.validation_loss);
  });

  it('measures what is asked for on the validation rows, and follows it', async () => {
    fixture.preprocessing = misleading;
    const optimizer = { type: 'sgd', learningRate: 0.5, momentum: 0.9 } as const;
    const metrics = ['validationMacroF1', 'validationLogLoss', 'validationAccuracy'];
    const earlyStopping = { metric: 'validationRocAuc', patience: 3 };
    await fixture.create({ epochs: 50, optimizer, metrics, earlyStopping });
    const happenings = await fixture.run();
    const epochs = epochsOf(happenings);
    for (const { validationLoss, validationMetrics } of epochs) {
      expect(Object.keys(validationMetrics!)).toEqual(['macro_f1', 'log_loss', 'roc_auc']);
      expect(validationMetrics!.log_loss).toBeCloseTo(validationLoss!, 5);
    }
    // The larger, the better: on these rows the first epochs are.
    const areas = epochs.map(({ validationMetrics }) => validationMetrics!.roc_auc!);
    const best = areas.indexOf(Math.max(...areas)) + 1;
    expect(ended(happenings)).toMatchObject({ reason: 'earlyStopping', epoch: best + 3, restoredEpoch: best });
    expect(fixture.published[0]!.metrics.validation_roc_auc).toBe(areas[best - 1]);
    expect(fixture.published[0]!.metrics.validation_macro_f1).toBe(epochs[best - 1]!.validationMetrics!.macro_f1);
  });

  it('ends within an epoch after as many steps as were asked for', async () => {
    await fixture.create({ epochs: 0, steps: 5 });
    const happenings = await fixture.run();
    expect(ended(happenings)).toEqual({ kind: 'trainingEnd', reason: 'steps', epoch: 3, steps: 5, restoredEpoch: 3 });
    expect(epochsOf(happenings)).toMatchObject([{ epochs: 3 }, { epochs: 3 }, { epochs: 3 }]);
  });

  it('ends when the time is up', async () => {
    await fixture.create({ epochs: 0, seconds: 1e-9 });
    const happenings = await fixture.run();
    expect(ended(happenings)).toMatchObject({ reason: 'seconds', epoch: 1 });
    expect(epochsOf(happenings)).toMatchObject([{ epochs: 0, remainingSeconds: 0 }]);
    expect(kinds(happenings).at(-1)).toBe('succeeded');
  });

  it('validates every so many epochs, and after the last', async () => {
    await fixture.create({ epochs: 5, validation: { everyEpochs: 2 } });
    const measured = epochsOf(await fixture.run()).map(({ validationLoss }) => validationLoss !== null);
    expect(measured).toEqual([false, true, false, true, true]);
  });

  it('tells a plateau of the losses', async () => {
    const plateau = { patience: 0, factor: 1e-6, minimumDelta: 1e6 };
    await fixture.create({ epochs: 4, optimizer: { type: 'sgd' }, schedule: { type: 'plateau', ...plateau } });
    const losses = epochsOf(await fixture.run()).map(({ validationLoss }) => validationLoss!);
    // The rate falls to next to nothing after the second epoch.
    expect(losses[1]! - losses[0]!).not.toBe(0);
    expect(Math.abs(losses[3]! - losses[2]!)).toBeLessThan(1e-7);
  });

  it('trains with class weights, which rows for validation do not have', async () => {
    await fixture.create({ classWeights: { 1: 0 } });
    const happenings = await fixture.run();
    expect(kinds(happenings).at(-1)).toBe('succeeded');
    // Rows of class 1 cost nothing, so all is taken for class 0.
    const [first, , last] = epochsOf(happenings);
    expect(last!.loss).toBeLessThan(first!.loss);
    expect(last!.validationLoss!).toBeGreaterThan(last!.loss);
  });

  it('publishes and measures the average of the weights', async () => {
    const weights: Buffer[] = [];
    for (const [i, averaging] of [null, { decay: 0 }, { decay: 0.9 }].entries()) {
      await fixture.store.create(newJob({ id: `job${i}`, ...fixture.spec({ epochs: 2, averaging }) }));
      await fixture.run();
      weights.push(weightsOf(fixture.published[i]!));
    }
    // An average that keeps nothing is the weights themselves.
    expect(weights[1]).toEqual(weights[0]);
    expect(weights[2]).not.toEqual(weights[0]);
    expect(fixture.published[2]!.metrics.test_loss).not.toBe(fixture.published[0]!.metrics.test_loss);
    // The report is of the same weights as the loss that the engine tells.
    for (const { metrics } of fixture.published) {
      expect(metrics.test_log_loss).toBeCloseTo(metrics.test_loss!, 5);
    }
  });

  it('evaluates anew what it had not told of when it was interrupted', async () => {
    await fixture.create();
    const write = fixture.checkpoints.writeEvaluation;
    fixture.checkpoints.writeEvaluation = async () => {
      fixture.stopping.abort();
      throw new Error('killed');
    };
    expect(kinds(await fixture.run()).at(-1)).toBe('testing');
    fixture.checkpoints.writeEvaluation = write;
    fixture.stopping = new AbortController();
    await fixture.run();
    await fixture.store.create(newJob({ id: 'undisturbed', ...fixture.spec() }));
    await fixture.run();
    const [interrupted, undisturbed] = fixture.published.map(evaluationOf);
    expect(interrupted).toEqual(undisturbed);
    expect(undisturbed).toHaveProperty('temperature.value');
  });
});

describe('sample weights', () => {
  /** The first 16 rows, each as often as it is said, with a weight or not. */
  const drawn = (times: number[], weights: number[] | null): TensorSource => ({
    tensors: async (pipeline, kind, split, signal) => {
      const whole = await twoClasses.tensors({ ...pipeline, rowCounts: allOf(16) }, kind, split, signal);
      const rows = times.flatMap((count, row) => Array<number>(count).fill(row));
      return {
        rows: rows.length,
        features: Float32Array.from(rows.flatMap((row) => [...whole.features.subarray(2 * row, 2 * row + 2)])),
        targets: Int32Array.from(rows, (row) => whole.targets[row]!),
        ...(weights ? { weights: Float32Array.from(rows, (row) => weights[row]!) } : {}),
      };
    },
  });
  const allOf = (count: number) => ({ train: count, validation: count, test: count });
  const once = Array<number>(16).fill(1);
  const odd = once.map((_, row) => [2, 0, 1, 3][row % 4]!);

  /** What full batches come to: weights of the network, and losses of validation and test. */
  async function train(source: TensorSource, rows: number, stopAt = 0) {
    const fixture = await RunnerFixture.open();
    fixture.preprocessing = source;
    const optimizer = { type: 'sgd', learningRate: 0.5, momentum: 0.9 } as const;
    await fixture.create({ epochs: 10, batchSize: 0, fullBatch: true, optimizer }, allOf(rows));
    if (stopAt > 0) {
      fixture.stopAfter((happening) => happening.kind === 'epoch' && happening.epoch === stopAt);
      expect(kinds(await fixture.run())).not.toContain('succeeded');
    }
    expect(kinds(await fixture.run()).at(-1)).toBe('succeeded');
    await fixture.close();
    const [publication] = fixture.published;
    const file = weightsOf(publication!);
    const values = new Float32Array(Uint8Array.from(file.subarray(8 + Number(file.readBigUInt64LE()))).buffer);
    const { train_loss, validation_loss, test_loss } = publication!.metrics;
    return { file, values: [...values, train_loss!, validation_loss!, test_loss!] };
  }

  it('count a row of weight 2 as twice the row, and one of weight 0 as none', async () => {
    const byWeight = await train(drawn(once, odd), 16);
    const byCount = await train(drawn(odd, null), 24);
    const unweighted = await train(drawn(once, null), 16);
    expect(byWeight.values.length).toBeGreaterThan(6);
    for (const [i, value] of byWeight.values.entries()) {
      // Sums in another order.
      expect(value).toBeCloseTo(byCount.values[i]!, 5);
    }
    expect(Math.abs(byWeight.values.at(-3)! - unweighted.values.at(-3)!)).toBeGreaterThan(1e-4);
  });

  it('are relative: only their ratios count, and equal ones are as none', async () => {
    const times = (factor: number) => odd.map((weight) => weight * factor);
    expect((await train(drawn(once, times(8)), 16)).file).toEqual((await train(drawn(once, odd), 16)).file);
    const equal = await train(drawn(once, Array<number>(16).fill(0.3)), 16);
    expect(equal.file).toEqual((await train(drawn(once, null), 16)).file);
  });

  it('are there again after an interruption', async () => {
    const undisturbed = await train(drawn(once, odd), 16);
    expect((await train(drawn(once, odd), 16, 7)).file).toEqual(undisturbed.file);
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
