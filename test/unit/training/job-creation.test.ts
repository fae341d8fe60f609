import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { type FieldViolation, RpcError, type StatusName } from '../../../proto/index.js';
import { openDatabase } from '../../../services/platform/database.js';
import { createJob, explainSpec, type Placing } from '../../../services/training/job-creation.js';
import { JobStore } from '../../../services/training/job-store.js';
import { migrations, type Schema } from '../../../services/training/schema.js';
import type { FittedPipeline, SpecDraft } from '../../../services/training/training-spec.js';
import { tempFolder } from '../../support/temp-folder.js';
import { fittedPipeline, validDraft } from './spec-draft.js';

describe('createJob', () => {
  let store: JobStore;
  let answer: () => FittedPipeline;
  let fits: number;

  beforeEach(async () => {
    const database = await openDatabase<Schema>(path.join(tempFolder(), 'training.db'), migrations);
    store = new JobStore(database, () => 0);
    answer = () => fittedPipeline();
    fits = 0;
    return () => database.destroy();
  });

  const create = (
    changes: Partial<SpecDraft> = {},
    requestId: string | null = null,
    placing: Partial<Placing> = {},
  ) => {
    const preprocessing = {
      fit: async () => {
        fits++;
        return answer();
      },
    };
    const dependencies = { store, preprocessing, memoryBytes: 2 ** 30 };
    const request = { requestId, owner: '', priority: 0, labels: {}, stepEventsPerSecond: 10, ...placing };
    return createJob(dependencies, validDraft(changes), request, new AbortController().signal);
  };
  const explain = (changes: Partial<SpecDraft> = {}) => {
    const preprocessing = { fit: async () => answer() };
    const signal = new AbortController().signal;
    return explainSpec({ preprocessing, memoryBytes: 2 ** 30 }, validDraft(changes), signal);
  };
  const refuse = (code: StatusName, message: string, fieldViolations: FieldViolation[] = []) => {
    answer = () => {
      throw new RpcError(code, message, { reason: '', fieldViolations });
    };
  };

  it('tells what preprocessing refuses together with its own violations', async () => {
    refuse('INVALID_ARGUMENT', '', [
      { field: 'spec.columns[0].column', description: 'Expected `spec.columns[0].column` to be there.' },
      { field: 'split.seed', description: 'Expected `split.seed` to be another.' },
      {
        field: 'spec.columns[1].steps[0].impute.number',
        description: 'Expected `spec.columns[1].steps[0]` to be another.',
      },
      { field: 'sample_weight', description: 'Expected `sample_weight` to be a column.' },
    ]);
    await expect(create({ epochs: 0 })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      fieldViolations: [
        { field: 'spec.epochs' },
        {
          field: 'spec.pipeline.columns[0].column',
          description: 'Expected `spec.pipeline.columns[0].column` to be there.',
        },
        { field: 'spec.split.seed', description: 'Expected `spec.split.seed` to be another.' },
        {
          field: 'spec.pipeline.columns[1].steps[0].impute.number',
          description: 'Expected `spec.pipeline.columns[1].steps[0]` to be another.',
        },
        { field: 'spec.sample_weight', description: 'Expected `spec.sample_weight` to be a column.' },
      ],
    });
    expect((await store.list({ filter: '', orderBy: '', pageSize: 10, pageToken: '' })).jobs).toEqual([]);
  });

  it('names the dataset that is not there', async () => {
    refuse('NOT_FOUND', 'There is no dataset datasets/mnist.');
    await expect(create()).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      fieldViolations: [{ field: 'spec.dataset', description: 'There is no dataset datasets/mnist.' }],
    });
  });

  it('says that preprocessing is away', async () => {
    refuse('UNAVAILABLE', 'connection refused');
    await expect(create()).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'PREPROCESSING_UNAVAILABLE' });
  });

  it('tells its own violations even when preprocessing is away', async () => {
    refuse('UNAVAILABLE', 'connection refused');
    await expect(create({ seed: -1 })).rejects.toMatchObject({ fieldViolations: [{ field: 'spec.seed' }] });
  });

  it('refuses a network that does not fit the classes', async () => {
    answer = () => fittedPipeline({ classes: ['cat', 'dog'] });
    await expect(create()).rejects.toMatchObject({ fieldViolations: [{ field: 'spec.network.layers[1].units' }] });
  });

  it('refuses a request id of 101 characters', async () => {
    await expect(create({}, 'x'.repeat(101))).rejects.toMatchObject({ fieldViolations: [{ field: 'request_id' }] });
  });

  it('refuses a request id that stands for another spec', async () => {
    await create({}, 'r1');
    await expect(create({ seed: 2 }, 'r1')).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
  });

  it('answers a repeated request without asking preprocessing again', async () => {
    const job = await create({}, 'r1');
    refuse('UNAVAILABLE', 'connection refused');
    expect(await create({}, 'r1')).toEqual(job);
    expect(fits).toBe(1);
  });

  it('gives a repeated request the dataset version of the first time', async () => {
    const job = await create({}, 'r1');
    answer = () => fittedPipeline({ datasetVersion: 'datasets/mnist/versions/4' });
    expect((await create({}, 'r1')).spec.dataset).toBe(job.spec.dataset);
  });

  it('refuses to explain what it would refuse to train, all at once', async () => {
    answer = () => fittedPipeline({ classes: ['cat', 'dog'] });
    await expect(explain({ epochs: 0 })).rejects.toMatchObject({
      fieldViolations: [{ field: 'spec.epochs' }, { field: 'spec.network.layers[1].units' }],
    });
  });

  it('explains a spec as the job of it has it, and makes none', async () => {
    const plan = await explain();
    expect((await store.list({ filter: '', orderBy: '', pageSize: 10, pageToken: '' })).jobs).toEqual([]);
    expect(plan.spec).toEqual((await create()).spec);
    // 784 * 128 + 128 and 128 * 10 + 10 parameters, of which Adam keeps two numbers beside weight and gradient.
    const rowsBytes = (54_000 + 6_000) * (784 + 4);
    expect(plan).toMatchObject({
      ...{ parameterCount: 101_770, stepsPerEpoch: 1_688, steps: 5 * 1_688 },
      ...{ memoryBytes: 101_770 * 4 * 4 + rowsBytes },
      layers: [
        { place: '0', type: 'dense', outputs: 128, parameterCount: 100_480 },
        { place: '1', type: 'dense', outputs: 10, parameterCount: 1_290 },
      ],
    });
  });

  it('explains that only time ends a training', async () => {
    expect(await explain({ epochs: 0, seconds: 60, batchSize: 1_000 })).toMatchObject({
      stepsPerEpoch: 54,
      steps: null,
    });
  });

  it('counts a target for each class where a row has several', async () => {
    const pipeline = { labelKind: 'labels' as const, message: {} };
    const layers = [{ type: 'dense' as const, units: 10, activation: 'sigmoid' }];
    const plan = await explain({ pipeline, layers, loss: 'binaryCrossEntropy' });
    expect(plan.memoryBytes - plan.parameterCount * 4 * 4).toBe((54_000 + 6_000) * (784 + 10 * 4));
  });

  it('queues a job with its defaults filled in and its dataset pinned', async () => {
    const job = await create();
    expect(job.spec).toMatchObject({ dataset: 'datasets/mnist/versions/3', batchSize: 32 });
    expect(job).toMatchObject({ state: 'queued', latestSequence: 1 });
    expect(job.id).toMatch(/^mnist-[a-z0-9]{8}$/);
    expect(await store.get(job.id)).toEqual(job);
  });

  it('refuses an owner, a priority and labels outside of their bounds, all at once', async () => {
    const labels = { Team: 'x', team: 'y'.repeat(101) };
    await expect(
      create({ epochs: 0 }, null, { owner: 'o'.repeat(101), priority: 1_001, labels, stepEventsPerSecond: 101 }),
    ).rejects.toMatchObject({
      fieldViolations: [
        { field: 'spec.epochs' },
        { field: 'owner', description: expect.stringContaining('at most 100 characters') },
        { field: 'priority', description: expect.stringContaining('from -1000 to 1000 but received 1001') },
        { field: 'step_events_per_second' },
        { field: 'labels', description: expect.stringContaining('"Team"') },
        { field: 'labels.team' },
      ],
    });
  });

  it('takes a repeated request for the same whatever the order of its labels, and not with another priority', async () => {
    const job = await create({}, 'r1', { owner: 'ann', priority: 3, labels: { a: '1', b: '2' } });
    expect(job).toMatchObject({ owner: 'ann', priority: 3, labels: { a: '1', b: '2' } });
    expect((await create({}, 'r1', { owner: 'ann', priority: 3, labels: { b: '2', a: '1' } })).id).toBe(job.id);
    await expect(create({}, 'r1', { owner: 'ann', priority: 4 })).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
  });
});
