import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { contracts, createClient, fromTimestamp } from '../../proto/index.js';
import { openDatabase } from '../../services/platform/database.js';
import type { RunningService } from '../../services/platform/main.js';
import { readConfig } from '../../services/training/config.js';
import { JobStore } from '../../services/training/job-store.js';
import { migrations, type Schema } from '../../services/training/schema.js';
import { startTraining } from '../../services/training/service.js';
import { rpcFailure } from '../support/rpc-failure.js';
import { tempFolder } from '../support/temp-folder.js';
import { startTensorServer, type TensorServer } from '../support/tensor-server.js';
import {
  collect,
  type Event,
  endless,
  entered,
  numbersFrom,
  pointsSpec,
  type RegistryClient,
  registryClientAt,
  type SpecMessage,
  silent,
  startRegistryAt,
  statesOf,
  type TrainingClient,
  trainingClientAt,
  weightsOf,
} from '../support/training-fixture.js';

let dataDir: string;
let preprocessing: TensorServer;
let registryService: RunningService;
let registry: RegistryClient;
let service: RunningService;
let training: TrainingClient;

async function start(changes: Record<string, string> = {}): Promise<void> {
  const args = {
    ...changes,
    'data-dir': dataDir,
    port: '0',
    'stop-grace-ms': '2000',
    'preprocessing-address': `127.0.0.1:${preprocessing.port}`,
    'registry-address': `127.0.0.1:${registryService.port}`,
  };
  const config = readConfig(
    Object.entries(args).flatMap(([name, value]) => [`--${name}`, value]),
    {},
  );
  service = await startTraining(config, silent);
  training = trainingClientAt(service.port);
}

async function stop(): Promise<void> {
  await service.stop();
  training.close();
}

beforeEach(async () => {
  dataDir = tempFolder();
  preprocessing = await startTensorServer();
  registryService = await startRegistryAt(dataDir);
  registry = registryClientAt(registryService.port);
  await start();
});

afterEach(async () => {
  await stop();
  registry.close();
  await registryService.stop();
  await preprocessing.stop(0);
});

const create = async (changes: Partial<SpecMessage> = {}, requestId = '') =>
  training.createTrainingJob({ spec: pointsSpec(changes), requestId });
const watch = (name: string, afterSequence = 0) => training.watchTrainingJob({ name, afterSequence });

describe('ExplainTrainingSpec', () => {
  it('refuses what CreateTrainingJob refuses', async () => {
    const { code, details } = await rpcFailure(training.explainTrainingSpec({}));
    expect(code).toBe('INVALID_ARGUMENT');
    expect(details.fieldViolations).toEqual((await rpcFailure(training.createTrainingJob({}))).details.fieldViolations);
  });

  it('answers the spec that a job of it has, and makes none', async () => {
    const plan = await training.explainTrainingSpec({ spec: pointsSpec() });
    expect((await training.listTrainingJobs({})).trainingJobs).toEqual([]);
    expect(plan.spec).toEqual((await create()).spec);
    expect(plan.layers.map(({ kind, outputs }) => [kind, outputs])).toEqual([
      ['dense', 64],
      ['dense', 4],
    ]);
  });
});

describe('CreateTrainingJob', () => {
  it('refuses a request without a spec, naming every field it needs', async () => {
    const { code, details } = await rpcFailure(training.createTrainingJob({}));
    expect(code).toBe('INVALID_ARGUMENT');
    expect(details.fieldViolations.map(({ field }) => field).sort()).toEqual([
      'spec.dataset',
      'spec.epochs',
      'spec.loss',
      'spec.network.layers',
      'spec.optimizer',
      'spec.pipeline',
      'spec.publish.model',
    ]);
  });

  it('refuses a dataset that is not there and a learning rate of 0 in one answer', async () => {
    const failure = await rpcFailure(create({ dataset: 'datasets/nothing', optimizer: { adam: { learningRate: 0 } } }));
    expect(failure.details.fieldViolations.map(({ field }) => field)).toEqual([
      'spec.optimizer.adam.learning_rate',
      'spec.dataset',
    ]);
  });

  it('refuses a last layer that does not have one unit a class', async () => {
    const layers = [{ units: 5, activation: 'ACTIVATION_SOFTMAX' as const }];
    const { details } = await rpcFailure(create({ network: { layers } }));
    expect(details.fieldViolations.map(({ field }) => field)).toEqual(['spec.network.layers[0].units']);
  });

  it('refuses an activation that nobody knows', async () => {
    const layers = [{ units: 4, activation: 99 as never }];
    const { details } = await rpcFailure(create({ network: { layers } }));
    expect(details.fieldViolations.map(({ field }) => field)).toEqual(['spec.network.layers[0].activation']);
  });

  it('keeps nothing of a refused request', async () => {
    await rpcFailure(create({ epochs: 0 }));
    expect((await training.listTrainingJobs({})).trainingJobs).toEqual([]);
  });

  it('answers a repeated request with the same job, and refuses the id for another spec', async () => {
    const job = await create({ epochs: endless }, 'r1');
    expect((await create({ epochs: endless }, 'r1')).name).toBe(job.name);
    expect((await rpcFailure(create({ epochs: 1 }, 'r1'))).code).toBe('ALREADY_EXISTS');
    expect((await training.listTrainingJobs({})).trainingJobs).toHaveLength(1);
  });

  it('answers with the spec that will be run', async () => {
    const { spec, state } = await create({ epochs: endless });
    expect(state).toBe('STATE_QUEUED');
    expect(spec).toMatchObject({
      dataset: 'datasets/points/versions/1',
      batchSize: 32,
      optimizer: { adam: { learningRate: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-7 } },
      network: {
        layers: [
          { units: 64, kernelInitializer: 'INITIALIZER_GLOROT_UNIFORM' },
          { units: 4, kernelInitializer: 'INITIALIZER_GLOROT_UNIFORM' },
        ],
      },
    });
  });
});

describe('GetTrainingJob, ListTrainingJobs', () => {
  it('says that a job is not there, and what a name looks like', async () => {
    expect((await rpcFailure(training.getTrainingJob({ name: 'trainingJobs/nothing' }))).code).toBe('NOT_FOUND');
    expect((await rpcFailure(training.getTrainingJob({ name: 'jobs/1' }))).code).toBe('INVALID_ARGUMENT');
    expect((await rpcFailure(training.listTrainingJobs({ pageToken: 'x' }))).code).toBe('INVALID_ARGUMENT');
  });

  it('pages through all jobs, newest first', async () => {
    const names = [];
    for (let i = 0; i < 5; i++) {
      names.unshift((await create({ epochs: endless })).name);
    }
    const listed = [];
    let pageToken = '';
    do {
      const page = await training.listTrainingJobs({ pageSize: 2, pageToken });
      listed.push(...page.trainingJobs.map(({ name }) => name));
      pageToken = page.nextPageToken;
    } while (pageToken);
    expect(listed).toEqual(names);
    const queued = await training.listTrainingJobs({ filter: 'state = QUEUED', orderBy: 'create_time' });
    expect(queued.trainingJobs.map(({ name }) => name)).toEqual(names.slice(0, -1).reverse());
    const { details } = await rpcFailure(training.listTrainingJobs({ filter: 'stat = QUEUED' }));
    expect(details.fieldViolations.map(({ field }) => field)).toEqual(['filter']);
  });
});

describe('a job', () => {
  it('fails in words when the training diverges', async () => {
    const { name } = await create({ optimizer: { sgd: { learningRate: 1e30 } } });
    const last = (await collect(watch(name))).at(-1);
    expect(last?.stateChange).toMatchObject({ state: 'STATE_FAILED', error: { code: 9 } });
    expect(last?.stateChange?.error?.message).toMatch(/Training diverged.*epoch \d+, step \d+ of 750/);
    expect((await training.getTrainingJob({ name })).error).toEqual(last?.stateChange?.error);
  });

  it('goes through its states, publishes by itself and leaves no checkpoint', async () => {
    const { name } = await create();
    const events = await collect(watch(name));
    expect(events.map(({ sequence }) => sequence)).toEqual(numbersFrom(1, events));
    expect(statesOf(events)).toEqual([
      'STATE_QUEUED',
      'STATE_PREPARING',
      'STATE_TRAINING',
      'STATE_TESTING',
      'STATE_PUBLISHING',
      'STATE_SUCCEEDED',
    ]);
    const epochs = events.flatMap(({ epoch }) => epoch ?? []);
    expect(epochs.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4]);
    const steps = events.flatMap(({ step }) => step ?? []);
    expect(steps.length).toBeGreaterThan(0);
    expect(steps.every(({ step, stepsPerEpoch }) => step >= 1 && step <= 750 && stepsPerEpoch === 750)).toBe(true);
    expect(steps.every(({ learningRate }) => learningRate === Math.fround(0.001) || learningRate === 0.001)).toBe(true);
    expect(epochs.every(({ gradientNorm, weightNorm }) => gradientNorm > 0 && weightNorm > 1)).toBe(true);
    expect(events.some(({ checkpoint }) => checkpoint?.epochsDone === 4 && checkpoint.sizeBytes > 1_000)).toBe(true);
    expect(events.flatMap(({ log }) => log?.text ?? [])).toEqual([
      'Read 24000 training, 2000 validation, 2000 test rows of 16 features.',
    ]);
    const job = await training.getTrainingJob({ name });
    expect(job).toMatchObject({
      state: 'STATE_SUCCEEDED',
      epochsDone: 4,
      latestSequence: events.length,
      modelVersion: 'models/points/versions/1',
      latestEpoch: epochs.at(-1),
      test: { rowCount: 2_000 },
    });
    // Guessing gives 0.25.
    expect(job.test?.accuracy).toBeGreaterThan(0.8);
    await stop();
    const folderOf = (kind: string) => path.join(dataDir, 'training', kind, name.slice('trainingJobs/'.length));
    expect(existsSync(folderOf('checkpoints'))).toBe(false);
    expect(readdirSync(folderOf('tensorboard')).sort()).toEqual(['test', 'train', 'validation']);
    await start();
    await training.deleteTrainingJob({ name });
    expect(existsSync(folderOf('tensorboard'))).toBe(false);
  });

  it('publishes a version that says where it comes from', async () => {
    const { name } = await create({ epochs: 1 });
    await collect(watch(name));
    const version = await registry.getModelVersion({ name: 'models/points/aliases/champion' });
    expect(version.artifacts.map((artifact) => artifact.path).sort()).toEqual([
      'model.safetensors',
      'network.json',
      'pipeline.json',
      'report.json',
      'signature.json',
    ]);
    const job = await training.getTrainingJob({ name });
    expect(version.lineage).toMatchObject({
      trainingJob: name,
      datasetVersion: 'datasets/points/versions/1',
      spec: job.spec,
      engineVersion: expect.stringMatching(/^\d+\./),
      instructionSet: expect.stringMatching(/^(avx512|avx2|portable)$/),
    });
    expect(version.metrics.test_accuracy).toBe(job.test?.accuracy);
    const { digest } = version.artifacts.find(({ path }) => path === 'report.json')!;
    const chunks = await collect(registry.downloadBlob({ digest }));
    const report = JSON.parse(Buffer.concat(chunks.map(({ chunk }) => chunk)).toString()) as {
      evaluation: { rowCount: number; figures: Record<string, number> };
    };
    const { rowCount, figures } = report.evaluation;
    expect(rowCount).toBe(job.test?.rowCount);
    expect(figures.accuracy).toBeCloseTo(job.test!.accuracy!, 6);
    // A mean over rows in float64 here, in the engine's order there.
    expect(figures.log_loss).toBeCloseTo(job.test!.loss, 4);
    expect(version.metrics.test_macro_f1).toBe(figures.macro_f1);
  });

  it('moves an alias only to a version that is better by what its spec says', async () => {
    const publish = (promoteIf: string) => ({ model: 'models/points', aliases: ['champion'], promoteIf });
    const train = async (promoteIf: string) => {
      const { name } = await create({ epochs: 1, publish: publish(promoteIf) });
      const events = await collect(watch(name));
      return [events.at(-2)?.log?.text, (await registry.getModel({ name: 'models/points' })).aliases.champion];
    };
    expect(await train('accuracy >= champion + 0.001')).toEqual([expect.stringContaining('there is no champion'), 1]);
    expect(await train('accuracy >= champion + 0.001')).toEqual([expect.stringContaining('does not hold'), 1]);
    expect(await train('loss <= champion')).toEqual([expect.stringContaining('moved: champion'), 3]);
    const { promotion, lineage } = await registry.getModelVersion({ name: 'models/points/versions/2' });
    expect(promotion).toMatchObject({ promoted: false, comparedVersion: 1, condition: { metric: 'test_accuracy' } });
    expect(lineage?.spec?.publish).toMatchObject(publish('accuracy >= champion + 0.001'));
  });

  it('gives the same weights for the same spec', async () => {
    const [a, b] = [await create({ epochs: 1 }), await create({ epochs: 1 })];
    await collect(watch(b.name));
    expect((await training.getTrainingJob({ name: a.name })).state).toBe('STATE_SUCCEEDED');
    expect(await weightsOf(registry, 'models/points/versions/2')).toBe(
      await weightsOf(registry, 'models/points/versions/1'),
    );
  });

  it('waits for preprocessing to come back', async () => {
    const blocking = await create({ epochs: endless });
    const { name } = await create({ epochs: 1 });
    await collect(watch(blocking.name), entered('STATE_TRAINING'));
    const { port } = preprocessing;
    await preprocessing.stop(0);
    await training.cancelTrainingJob({ name: blocking.name });
    await collect(watch(name), entered('STATE_PREPARING'));
    preprocessing = await startTensorServer(port);
    const events = await collect(watch(name));
    expect(statesOf(events).at(-1)).toBe('STATE_SUCCEEDED');
    expect(preprocessing.tickets.sort()).toEqual([
      'pipelines/points/splits/test',
      'pipelines/points/splits/train',
      'pipelines/points/splits/validation',
    ]);
  });

  it('waits for the registry to come back', async () => {
    const { port } = registryService;
    await registryService.stop();
    const { name } = await create({ epochs: 1 });
    await collect(watch(name), entered('STATE_PUBLISHING'));
    registryService = await startRegistryAt(dataDir, port);
    expect(statesOf(await collect(watch(name))).at(-1)).toBe('STATE_SUCCEEDED');
  });
});

describe('CancelTrainingJob', () => {
  it('refuses a job that has ended', async () => {
    const { name } = await create({ epochs: 1 });
    await collect(watch(name));
    expect(await rpcFailure(training.cancelTrainingJob({ name }))).toMatchObject({
      code: 'FAILED_PRECONDITION',
      details: { reason: 'JOB_ENDED' },
    });
  });

  it('ends a queued job at once', async () => {
    await create({ epochs: endless });
    const { name } = await create();
    expect((await training.cancelTrainingJob({ name })).state).toBe('STATE_CANCELLED');
    expect(statesOf(await collect(watch(name)))).toEqual(['STATE_QUEUED', 'STATE_CANCELLED']);
  });

  it('stops a running job in the middle of an epoch, and the next one begins', async () => {
    const { name } = await create({ epochs: endless });
    const next = await create({ epochs: 1 });
    const before = await collect(watch(name), ({ step }) => step !== undefined && step !== null);
    await training.cancelTrainingJob({ name });
    const events = await collect(watch(name, before.at(-1)?.sequence));
    expect(statesOf(events)).toEqual(['STATE_CANCELLED']);
    expect((await rpcFailure(registry.getModel({ name: 'models/points' }))).code).toBe('NOT_FOUND');
    expect(statesOf(await collect(watch(next.name))).at(-1)).toBe('STATE_SUCCEEDED');
  });

  it('ends a job that waits for another service', async () => {
    const { name } = await create({ epochs: endless });
    const waiting = await create({ epochs: 1 });
    const { port } = preprocessing;
    await preprocessing.stop(0);
    await training.cancelTrainingJob({ name });
    await collect(watch(waiting.name), entered('STATE_PREPARING'));
    await training.cancelTrainingJob({ name: waiting.name });
    expect(statesOf(await collect(watch(waiting.name))).at(-1)).toBe('STATE_CANCELLED');
    preprocessing = await startTensorServer(port);
  });

  it('refuses a job that publishes, which then succeeds', async () => {
    const { port } = registryService;
    await registryService.stop();
    const { name } = await create({ epochs: 1 });
    await collect(watch(name), entered('STATE_PUBLISHING'));
    expect(await rpcFailure(training.cancelTrainingJob({ name }))).toMatchObject({
      code: 'FAILED_PRECONDITION',
      details: { reason: 'JOB_PUBLISHING' },
    });
    registryService = await startRegistryAt(dataDir, port);
    expect(statesOf(await collect(watch(name))).at(-1)).toBe('STATE_SUCCEEDED');
  });
});

describe('PauseTrainingJob, ResumeTrainingJob, DeleteTrainingJob', () => {
  it('pauses in the midst of an epoch, outlives a restart, and goes on to the same weights under the same watch', async () => {
    const layers = [
      { units: 256, activation: 'ACTIVATION_RELU' as const },
      { units: 4, activation: 'ACTIVATION_SOFTMAX' as const },
    ];
    const slow = { epochs: 2, network: { layers } };
    const undisturbed = await create(slow);
    await collect(watch(undisturbed.name));
    const { name } = await create(slow);
    const seen = await collect(watch(name), entered('STATE_TRAINING'));
    await training.pauseTrainingJob({ name });
    const more = await collect(watch(name, seen.length), entered('STATE_PAUSED'));
    const pausedJob = await training.getTrainingJob({ name });
    expect(pausedJob).toMatchObject({ state: 'STATE_PAUSED', attemptCount: 1, endTime: null });
    expect(pausedJob.pauseTime).toEqual(more.at(-1)?.time);
    expect((await rpcFailure(training.deleteTrainingJob({ name }))).details.reason).toBe('JOB_NOT_ENDED');
    await stop();
    await start();
    const rest = collect(watch(name, seen.length + more.length));
    await training.resumeTrainingJob({ name });
    expect(statesOf(await rest)).toEqual([
      ...['STATE_QUEUED', 'STATE_PREPARING', 'STATE_TRAINING', 'STATE_TESTING', 'STATE_PUBLISHING', 'STATE_SUCCEEDED'],
    ]);
    const job = await training.getTrainingJob({ name });
    expect(job).toMatchObject({ attemptCount: 2, pauseTime: pausedJob.pauseTime });
    expect(await weightsOf(registry, job.modelVersion)).toBe(await weightsOf(registry, 'models/points/versions/1'));
    await training.deleteTrainingJob({ name });
    expect((await rpcFailure(training.getTrainingJob({ name }))).code).toBe('NOT_FOUND');
    expect((await rpcFailure(collect(watch(name)))).code).toBe('NOT_FOUND');
  });
});

describe('jobs at once', () => {
  it('starts a job as soon as a place is free, in the order of priorities', async () => {
    await stop();
    await start({ 'jobs-at-once': '2' });
    const [a, b] = [await create({ epochs: endless }), await create({ epochs: endless })];
    await Promise.all([a, b].map(({ name }) => collect(watch(name), entered('STATE_TRAINING'))));
    const low = await training.createTrainingJob({ spec: pointsSpec({ epochs: endless }), priority: -1 });
    const high = await training.createTrainingJob({ spec: pointsSpec({ epochs: endless }), owner: 'ann' });
    expect([low.state, high.state]).toEqual(['STATE_QUEUED', 'STATE_QUEUED']);
    await training.cancelTrainingJob({ name: a.name });
    await collect(watch(high.name), entered('STATE_PREPARING'));
    const [ended, begun] = [await training.getTrainingJob(a), await training.getTrainingJob(high)];
    // A tenth of it on a machine that does nothing else.
    expect(fromTimestamp(begun.startTime!) - fromTimestamp(ended.endTime!)).toBeLessThan(1_000);
    expect((await training.getTrainingJob(low)).state).toBe('STATE_QUEUED');
  });
});

describe('WatchTrainingJob', () => {
  it('refuses a number that no event has', async () => {
    const { name } = await create({ epochs: 1 });
    await collect(watch(name));
    const { code, details } = await rpcFailure(collect(watch(name, 1_000_000)));
    expect(code).toBe('INVALID_ARGUMENT');
    expect(details.fieldViolations.map(({ field }) => field)).toEqual(['after_sequence']);
  });

  it('shows every watcher the same events, from wherever it joins', async () => {
    const { name } = await create();
    const early = collect(watch(name));
    const first = await collect(watch(name), ({ epoch }) => epoch?.epoch === 1);
    const rejoined = collect(watch(name, first.at(-1)!.sequence));
    const all = await early;
    expect([...first, ...(await rejoined)]).toEqual(all);
    expect(await collect(watch(name))).toEqual(all);
    expect(await collect(watch(name, all.length - 1))).toEqual(all.slice(-1));
    expect(await collect(watch(name, all.length))).toEqual([]);
  });
});

describe('WatchTrainingJobs', () => {
  it('follows the jobs that pass a filter over a restart of the service, with no gap and no repeat', async () => {
    const spec = pointsSpec({ epochs: 3 });
    const [a] = [await training.createTrainingJob({ spec, owner: 'ann' }), await create({ epochs: 1 })];
    const request = { filter: 'owner = ann', afterPosition: 0 };
    const seen: { position: number; trainingJob: string; event: Event | null }[] = [];
    for await (const message of training.watchTrainingJobs(request)) {
      seen.push(message);
      if (message.event?.epoch?.epoch === 1) {
        break;
      }
    }
    const watcher = training.watchTrainingJobs({ ...request, afterPosition: seen.at(-1)!.position });
    const interrupted = rpcFailure(
      (async () => {
        for await (const message of watcher) {
          seen.push(message);
        }
      })(),
    );
    await stop();
    expect(await interrupted).toMatchObject({ code: 'UNAVAILABLE', details: { reason: 'STOPPING' } });
    await start();
    const second = await training.createTrainingJob({ spec: pointsSpec({ epochs: 1 }), owner: 'ann' });
    for await (const message of training.watchTrainingJobs({ ...request, afterPosition: seen.at(-1)!.position })) {
      seen.push(message);
      if (message.trainingJob === second.name && message.event?.stateChange?.state === 'STATE_SUCCEEDED') {
        break;
      }
    }
    for (const { name } of [a, second]) {
      const told = seen.filter(({ trainingJob }) => trainingJob === name).map(({ event }) => event);
      expect(told).toEqual(await collect(watch(name)));
    }
    expect(new Set(seen.map(({ trainingJob }) => trainingJob))).toEqual(new Set([a.name, second.name]));
    const { latestPosition } = await training.listTrainingJobs({});
    expect(seen.at(-1)?.position).toBe(latestPosition);
  });

  it('refuses a filter by what changes', async () => {
    const { details } = await rpcFailure(training.watchTrainingJobs({ filter: 'state = QUEUED' }).next());
    expect(details.fieldViolations.map(({ field }) => field)).toEqual(['filter']);
  });
});

describe('GetMetrics', () => {
  it('counts jobs, epochs and examples', async () => {
    const { name } = await create({ epochs: 2 });
    await collect(watch(name));
    const client = createClient(contracts.metrics, `127.0.0.1:${service.port}`);
    const { text } = await client.getMetrics({});
    client.close();
    expect(text).toContain('millrace_training_jobs{state="succeeded",service="training"} 1');
    expect(text).toContain('millrace_training_jobs{state="queued",service="training"} 0');
    expect(text).toContain('millrace_training_epochs_total{service="training"} 2');
    expect(text).toContain('millrace_training_examples_total{service="training"} 48000');
  });
});

describe('a stop of the service', () => {
  it('tells watchers to come back, and the job goes on to the same weights', async () => {
    const epochs = 20;
    const undisturbed = await create({ epochs });
    await collect(watch(undisturbed.name));
    // Without the registry the job cannot be through before the service stops, however fast it is.
    const { port } = registryService;
    await registryService.stop();
    const { name } = await create({ epochs });
    const seen = await collect(watch(name), ({ epoch }) => epoch?.epoch === 2);
    const watcher = watch(name, seen.length);
    await watcher.next();
    const [failure] = await Promise.all([rpcFailure(collect(watcher)), stop()]);
    expect(failure).toMatchObject({ code: 'UNAVAILABLE', details: { reason: 'STOPPING' } });
    registryService = await startRegistryAt(dataDir, port);
    await start();
    const later = await collect(watch(name, seen.length));
    expect(later.map(({ sequence }) => sequence)).toEqual(numbersFrom(seen.length + 1, later));
    const { epochsDone } = later.find(({ resumed }) => resumed)!.resumed!;
    expect(epochsDone).toBeGreaterThanOrEqual(1);
    const { modelVersion, state } = await training.getTrainingJob({ name });
    expect(state).toBe('STATE_SUCCEEDED');
    expect(await weightsOf(registry, modelVersion)).toBe(await weightsOf(registry, 'models/points/versions/1'));
  });

  it('keeps the queue, in order', async () => {
    const running = await create({ epochs: endless });
    const [second, third] = [await create({ epochs: 1 }), await create({ epochs: 1 })];
    await stop();
    await start();
    await training.cancelTrainingJob({ name: running.name });
    await collect(watch(third.name), entered('STATE_PREPARING'));
    expect((await training.getTrainingJob({ name: second.name })).state).toBe('STATE_SUCCEEDED');
  });

  it('does not forget a cancellation that it came before', async () => {
    const { name } = await create({ epochs: endless });
    await collect(watch(name), entered('STATE_TRAINING'));
    await stop();
    const database = await openDatabase<Schema>(path.join(dataDir, 'training/training.db'), migrations);
    await new JobStore(database).requestCancel(name.slice('trainingJobs/'.length));
    await database.destroy();
    await start();
    expect(statesOf(await collect(watch(name))).at(-1)).toBe('STATE_CANCELLED');
  });
});
