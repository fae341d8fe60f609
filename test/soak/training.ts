import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { followTrainingJob } from '../../clients/sdk/training-watch.js';
import { readyPrefix } from '../../services/platform/main.js';
import { root } from '../support/mesh.js';
import { removeTempFolders, tempFolder } from '../support/temp-folder.js';
import { startTensorServer } from '../support/tensor-server.js';
import {
  pointsSpec,
  registryClientAt,
  type SpecMessage,
  startRegistryAt,
  type TrainingClient,
  trainingClientAt,
  weightsOf,
} from '../support/training-fixture.js';
import { Ledger } from './ledger.js';
import { MemoryWatch } from './memory-watch.js';
import { AllEvents, epochsMax, type JobResult, liveOneJob } from './training-jobs.js';

// Hundreds of short training jobs of several owners, of which some are cancelled, some paused and resumed, while one stream
// follows all and one each job; then jobs whose service is killed at random moments, with checkpoints by epochs and by steps. Ends with status 1 when an event is
// lost or comes twice, when a job or a thread stays behind, when weights differ from those of an undisturbed job with the same
// spec, or when memory grows.

const { values } = parseArgs({
  options: { jobs: { type: 'string', default: '200' }, kills: { type: 'string', default: '20' } },
});
const note = (line: string) => process.stdout.write(`${line}\n`);
const ledger = new Ledger();
const dataDir = tempFolder();
const preprocessing = await startTensorServer();
const registryService = await startRegistryAt(dataDir);
const registry = registryClientAt(registryService.port);

/** The training service as built, always on the same port. */
class Service {
  private constructor(
    readonly child: ChildProcess,
    readonly port: number,
  ) {}

  static async start(port: number): Promise<Service> {
    const args = [
      ...[`--data-dir=${dataDir}`, `--port=${port}`, '--log-level=error', '--jobs-at-once=2'],
      `--preprocessing-address=127.0.0.1:${preprocessing.port}`,
      `--registry-address=127.0.0.1:${registryService.port}`,
    ];
    const main = path.join(root, 'dist/services/training/main.js');
    const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    for await (const line of createInterface({ input: child.stdout! })) {
      if (line.startsWith(readyPrefix)) {
        return new Service(child, (JSON.parse(line.slice(readyPrefix.length)) as { port: number }).port);
      }
    }
    throw new Error('the training service did not start');
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill(signal);
    await ended;
  }

  get threads(): number {
    return Number(/^Threads:\s*(\d+)/m.exec(readFileSync(`/proc/${this.child.pid}/status`, 'utf8'))![1]);
  }
}

let service = await Service.start(0);
const training = trainingClientAt(service.port);
const begin = performance.now();
await manyJobs(training, Number(values.jobs));
await killedJob(training, Number(values.kills), { everyEpochs: 1 });
await killedJob(training, Number(values.kills), { everySteps: 200, keepLast: 3 });
await service.end('SIGTERM');
note(`${((performance.now() - begin) / 1_000).toFixed(0)} s`);
for (const [what, { count, first }] of ledger.violations) {
  note(`VIOLATION ${what}, ${count} times: ${first}`);
}
note(ledger.violations.size === 0 ? 'held' : 'BROKEN');
removeTempFolders();
process.exit(ledger.violations.size === 0 ? 0 : 1);

async function manyJobs(client: TrainingClient, count: number): Promise<void> {
  const all = new AllEvents(client);
  // Whatever is made once is made by the first job.
  await liveOneJob(client, 0, 'nothing', ledger);
  const threads = service.threads;
  const watch = new MemoryWatch(() => [[service.child.pid!, 'training']]);
  const fates = Array.from({ length: count }, (_, i) => (['cancel', 'pause', 'nothing'] as const)[i % 3]!);
  const results = await Promise.all(fates.map((fate, i) => liveOneJob(client, i + 1, fate, ledger)));
  const gains = watch.stop();
  await all.end(results, ledger);
  await sameWeights(results);
  const unfinished = await client.listTrainingJobs({ filter: 'state != SUCCEEDED AND state != CANCELLED' });
  if (unfinished.trainingJobs.length > 0) {
    ledger.violate('a job did not end well', JSON.stringify(unfinished.trainingJobs[0]));
  }
  if (readdirSync(path.join(dataDir, 'training/checkpoints')).length > 0) {
    ledger.violate('a job left its checkpoints', '');
  }
  if (service.threads > threads) {
    ledger.violate('threads stay behind', `${service.threads} after ${threads}`);
  }
  for (const { earlyBytes, lateBytes, isFlat } of gains) {
    const words = `${(earlyBytes / 1e6).toFixed(0)} MB, at last ${(lateBytes / 1e6).toFixed(0)} MB`;
    note(`memory: ${words}; threads: ${threads}, at last ${service.threads}`);
    if (!isFlat) {
      ledger.violate('memory grew', words);
    }
  }
  await Promise.all(results.map(({ name }) => client.deleteTrainingJob({ name })));
  const ends = new Map<string, number>();
  for (const { state } of results) {
    ends.set(state, (ends.get(state) ?? 0) + 1);
  }
  note(`${count} jobs: ${[...ends].map(([state, jobs]) => `${jobs} ${state}`).join(', ')}; ${all.count} events`);
}

async function sameWeights(results: JobResult[]): Promise<void> {
  const digests = new Map<number, string>();
  for (const { name, epochs, modelVersion } of results) {
    if (modelVersion) {
      const digest = await weightsOf(registry, modelVersion);
      if ((digests.get(epochs) ?? digest) !== digest) {
        ledger.violate('weights differ from those of a job with the same spec', name);
      }
      digests.set(epochs, digest);
    }
  }
}

/** One undisturbed job and one that is killed; both must end with the same weights, and every event must be told once. */
async function killedJob(
  client: TrainingClient,
  kills: number,
  checkpoints: SpecMessage['checkpoints'],
): Promise<void> {
  const publish = { model: 'models/killed', aliases: [] };
  const spec = pointsSpec({ epochs: 10 * epochsMax, checkpoints, publish });
  const versions: string[] = [];
  for (const isKilled of [false, true]) {
    const { name } = await client.createTrainingJob({ spec });
    let next = 1;
    let left = isKilled ? kills : 0;
    let killing = Promise.resolve();
    for await (const event of followTrainingJob(client, name, {})) {
      if (event.sequence !== next++) {
        ledger.violate('an event of a killed job was lost or came twice', `${event.sequence}`);
      }
      versions.push(...(event.stateChange?.modelVersion ? [event.stateChange.modelVersion] : []));
      if (left > 0 && Math.random() < 0.5) {
        left--;
        killing = killing.then(restart);
        await killing;
      }
    }
    if (left > 0) {
      note(`the job ended before it was killed ${left} more times`);
    }
  }
  const [calm, killed] = await Promise.all(versions.map((version) => weightsOf(registry, version)));
  note(`${kills} kills: weights ${calm} and ${killed}`);
  if (!calm || calm !== killed) {
    ledger.violate('the weights of a killed job differ', `${calm} and ${killed}`);
  }
}

async function restart(): Promise<void> {
  await service.end('SIGKILL');
  service = await Service.start(service.port);
  // A moment of work, never the same.
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 200));
}
