import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type RunningService, readyPrefix } from '../../services/platform/main.js';
import build from '../support/build.js';
import { tempFolder } from '../support/temp-folder.js';
import { startTensorServer, type TensorServer } from '../support/tensor-server.js';
import {
  type Event,
  isUnavailable,
  numbersFrom,
  pointsSpec,
  type RegistryClient,
  registryClientAt,
  startRegistryAt,
  statesOf,
  type TrainingClient,
  type TuningClient,
  type TuningEvent,
  trainingClientAt,
  tuningClientAt,
  weightsOf,
} from '../support/training-fixture.js';

const main = path.join(
  path.dirname(createRequire(import.meta.url).resolve('#package')),
  'dist/services/training/main.js',
);

/** The training service as a process of its own. */
class TrainingProcess {
  private constructor(
    readonly client: TrainingClient,
    readonly tuning: TuningClient,
    private readonly child: ChildProcess,
    private readonly ended: Promise<unknown>,
  ) {}

  static async start(args: string[]): Promise<TrainingProcess> {
    const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = new Promise((resolve) => child.once('close', resolve));
    for await (const line of createInterface({ input: child.stdout! })) {
      if (line.startsWith(readyPrefix)) {
        const { port } = JSON.parse(line.slice(readyPrefix.length)) as { port: number };
        return new TrainingProcess(trainingClientAt(port), tuningClientAt(port), child, ended);
      }
    }
    throw new Error('the training service did not start');
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
    this.client.close();
    this.tuning.close();
  }
}

let preprocessing: TensorServer;
let registryService: RunningService;
let registry: RegistryClient;
let args: string[];

beforeAll(build);

beforeEach(async () => {
  const dataDir = tempFolder();
  preprocessing = await startTensorServer();
  registryService = await startRegistryAt(dataDir);
  registry = registryClientAt(registryService.port);
  args = [
    ...['--data-dir', dataDir, '--port', '0', '--log-level', 'error'],
    ...['--preprocessing-address', `127.0.0.1:${preprocessing.port}`],
    ...['--registry-address', `127.0.0.1:${registryService.port}`],
  ];
});

afterEach(async () => {
  registry.close();
  await registryService.stop();
  await preprocessing.stop(0);
});

/** Watches until `count` more events have come, the job has ended, or the service has gone. */
async function watch(client: TrainingClient, name: string, seen: Event[], count: number): Promise<void> {
  const enough = seen.length + count;
  try {
    for await (const event of client.watchTrainingJob({ name, afterSequence: seen.length })) {
      seen.push(event);
      if (seen.length >= enough) {
        return;
      }
    }
  } catch (error) {
    if (!isUnavailable(error)) {
      throw error;
    }
  }
}

/** The same for a tuning. */
async function watchTuning(client: TuningClient, name: string, seen: TuningEvent[], count: number): Promise<void> {
  const enough = seen.length + count;
  try {
    for await (const event of client.watchTuningJob({ name, afterSequence: seen.length })) {
      seen.push(event);
      if (seen.length >= enough) {
        return;
      }
    }
  } catch (error) {
    if (!isUnavailable(error)) {
      throw error;
    }
  }
}

/** Each start of a process takes its time on a busy machine. */
const timeout = 180_000;

const last = { units: 4, activation: 'ACTIVATION_SOFTMAX' as const };

describe('kill -9', { timeout }, () => {
  it('at random moments changes neither the numbers of the events nor one bit of the weights', async () => {
    const spec = pointsSpec({
      epochs: 6,
      network: {
        layers: [
          { units: 64, activation: 'ACTIVATION_RELU' },
          { dropout: { rate: 0.2 } },
          { batchNormalization: {} },
          last,
        ],
      },
      schedule: { cosine: {}, warmupSteps: 3 },
      averaging: { decay: 0.9 },
      earlyStopping: { metric: 'METRIC_TRAIN_LOSS', patience: 4 },
      crossValidation: { folds: 2 },
      // An epoch has 750 steps, in a fold 375.
      checkpoints: { everySteps: 200, keepLast: 2 },
    });
    let process = await TrainingProcess.start(args);
    const undisturbed = await process.client.createTrainingJob({ spec });
    await watch(process.client, undisturbed.name, [], Number.POSITIVE_INFINITY);
    const { name } = await process.client.createTrainingJob({ spec });
    const seen: Event[] = [];
    const kills = 6;
    for (let i = 0; i < kills; i++) {
      // From the queueing to the publishing; a random number, since no moment may matter.
      await watch(process.client, name, seen, 1 + Math.floor(Math.random() * 12));
      await process.kill();
      process = await TrainingProcess.start(args);
    }
    await watch(process.client, name, seen, Number.POSITIVE_INFINITY);
    const job = await process.client.getTrainingJob({ name });
    await process.kill();

    expect(seen.map(({ sequence }) => sequence)).toEqual(numbersFrom(1, seen));
    expect(statesOf(seen).at(-1)).toBe('STATE_SUCCEEDED');
    expect(seen.some(({ resumed }) => resumed)).toBe(true);
    expect(seen.some(({ checkpoint }) => (checkpoint?.stepsDone ?? 0) > 0)).toBe(true);
    expect(job).toMatchObject({ epochsDone: 6, latestSequence: seen.length });
    expect(await weightsOf(registry, job.modelVersion)).toBe(await weightsOf(registry, 'models/points/versions/1'));
    const metricsOf = async (version: string) => (await registry.getModelVersion({ name: version })).metrics;
    const metrics = await metricsOf(job.modelVersion);
    expect(metrics).toHaveProperty('cross_validation_macro_f1');
    expect(metrics).toEqual(await metricsOf('models/points/versions/1'));
    // However often publishing was begun, there is one version a job.
    expect((await registry.getModel({ name: 'models/points' })).latestVersion).toBe(2);
  });

  it('right after the acknowledgement keeps the job', async () => {
    const first = await TrainingProcess.start(args);
    const { name } = await first.client.createTrainingJob({ spec: pointsSpec({ epochs: 1 }), requestId: 'r1' });
    await first.kill();
    const second = await TrainingProcess.start(args);
    expect((await second.client.createTrainingJob({ spec: pointsSpec({ epochs: 1 }), requestId: 'r1' })).name).toBe(
      name,
    );
    const seen: Event[] = [];
    await watch(second.client, name, seen, Number.POSITIVE_INFINITY);
    await second.kill();
    expect(statesOf(seen).at(-1)).toBe('STATE_SUCCEEDED');
  });

  it('in the midst of a tuning, paused or not, loses no trial and repeats none, and the same model is the best', async () => {
    const spec = pointsSpec({ epochs: 3, publish: { model: 'models/tuned' } });
    const tune = {
      space: {
        'optimizer.learning_rate': { logUniform: { low: 1e-5, high: 1e-1 } },
        'network.width': { integer: { low: 2, high: 16, log: true } },
      },
      trials: 4,
    };
    let process = await TrainingProcess.start(args);
    const undisturbed: TuningEvent[] = [];
    const { name: first } = await process.tuning.createTuningJob({ spec, tune });
    await watchTuning(process.tuning, first, undisturbed, Number.POSITIVE_INFINITY);
    const { name } = await process.tuning.createTuningJob({ spec, tune, requestId: 'r1' });
    const seen: TuningEvent[] = [];
    for (let i = 0; i < 2; i++) {
      await watchTuning(process.tuning, name, seen, 1 + Math.floor(Math.random() * 6));
      if (i === 0) {
        await process.tuning.pauseTuningJob({ name });
      }
      await process.kill();
      process = await TrainingProcess.start(args);
      if (i === 0) {
        while (seen.at(-1)?.stateChange?.state !== 'STATE_PAUSED') {
          await watchTuning(process.tuning, name, seen, 1);
        }
        await process.tuning.resumeTuningJob({ name });
      }
    }
    expect((await process.tuning.createTuningJob({ spec, tune, requestId: 'r1' })).name).toBe(name);
    await watchTuning(process.tuning, name, seen, Number.POSITIVE_INFINITY);
    const ended = await process.tuning.getTuningJob({ name });
    const expected = await process.tuning.getTuningJob({ name: first });
    const filter = `labels.tuning = ${name.slice('tuningJobs/'.length)}`;
    const { trainingJobs } = await process.client.listTrainingJobs({ filter });
    await process.kill();

    expect(seen.map(({ sequence }) => sequence)).toEqual(seen.map((_, i) => i + 1));
    expect(seen.flatMap(({ stateChange }) => stateChange?.state ?? [])).toEqual([
      ...['STATE_TUNING', 'STATE_PAUSED', 'STATE_TUNING', 'STATE_PUBLISHING', 'STATE_SUCCEEDED'],
    ]);
    expect(expected.state).toBe('STATE_SUCCEEDED');
    // Names of jobs aside, it is the same leaderboard, with trials that were stopped at the same rungs.
    const board = (trials: typeof ended.trials) => trials.map(({ trainingJob: _, ...trial }) => trial);
    expect(board(ended.trials)).toEqual(board(expected.trials));
    expect(new Set(ended.trials.map(({ state }) => state))).toEqual(new Set(['STATE_COMPLETE', 'STATE_STOPPED']));
    // One job a trial, and the one that published.
    expect(trainingJobs.length).toBe(5);
    expect(trainingJobs.filter(({ modelVersion }) => modelVersion !== '').length).toBe(1);
    expect(await weightsOf(registry, ended.modelVersion)).toBe(await weightsOf(registry, expected.modelVersion));
    expect((await registry.getModel({ name: 'models/tuned' })).latestVersion).toBe(2);
  });
});
