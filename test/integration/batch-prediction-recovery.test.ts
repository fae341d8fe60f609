import type { Table } from 'apache-arrow';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { BatchPrediction__Output as Job } from '../../proto/gen/millrace/v1/BatchPrediction.js';
import { contracts, createClient } from '../../proto/index.js';
import type { RunningService } from '../../services/platform/main.js';
import { readConfig } from '../../services/preprocessing/config.js';
import { startPreprocessing } from '../../services/preprocessing/service.js';
import build from '../support/build.js';
import { type FlightClient, getTable, putTable } from '../support/flight-table.js';
import { GatedPreprocessing } from '../support/gated-preprocessing.js';
import { guestsOf, guestTable, toRecord } from '../support/guests.js';
import { publish } from '../support/published-model.js';
import { rpcFailure } from '../support/rpc-failure.js';
import { ServiceProcess } from '../support/service-process.js';
import { type PredictionClient, Serving, silentLog } from '../support/serving.js';
import { tabularFiles } from '../support/tabular-model.js';
import { tempFolder } from '../support/temp-folder.js';

const guests = guestsOf(900);
const batchRows = 300;
let realPreprocessing: RunningService;
let preprocessing: GatedPreprocessing;
let preprocessingAddress: string;
let serving: Serving;
let flight: FlightClient;

beforeAll(build);
beforeAll(async () => {
  const dataDir = tempFolder();
  const args = [`--data-dir=${dataDir}`, '--port=0', '--stop-grace-ms=0'];
  realPreprocessing = await startPreprocessing(readConfig(args, {}), silentLog);
  flight = createClient(contracts.flight, `127.0.0.1:${realPreprocessing.port}`);
  await putTable(flight, 'datasets/guests', guestTable(guests, batchRows));
  preprocessing = new GatedPreprocessing(realPreprocessing.port);
  preprocessingAddress = `--preprocessing-address=127.0.0.1:${await preprocessing.start()}`;
  serving = await Serving.start(dataDir, preprocessingAddress);
  await publish(serving.registry, 'tiers', tabularFiles(1));
  await serving.serves('tiers', '', 1);
});
afterAll(async () => {
  flight?.close();
  await serving?.stop();
  await preprocessing?.close();
  await realPreprocessing?.stop();
});

beforeEach(() => preprocessing.shut());
afterEach(() => preprocessing.open());

const batchPrediction = (output: string) => ({
  model: 'models/tiers',
  dataset: 'datasets/guests',
  outputDataset: `datasets/${output}`,
});

/** Watches until the job looks as it should, or ends. */
async function watchUntil(client: PredictionClient, name: string, isThere: (job: Job) => boolean): Promise<Job> {
  let last: Job | null = null;
  for await (const job of client.watchBatchPrediction({ name })) {
    last = job;
    if (isThere(job)) {
      return job;
    }
  }
  return last!;
}

const never = () => false;
const firstBatchDone = ({ rowsDone }: Job) => rowsDone > 0;

async function expectWhole(job: Job): Promise<void> {
  expect([job.state, job.error, job.rowsDone]).toEqual(['STATE_SUCCEEDED', null, guests.length]);
  const table: Table = await getTable(flight, job.outputDatasetVersion);
  const records = guests.map(toRecord);
  const { predictions } = await serving.prediction.predict({ model: 'models/tiers', records });
  expect([...table.getChild('prediction')!]).toEqual(predictions.map(({ label }) => label));
}

describe('a batch prediction that is cancelled', () => {
  it('in its middle leaves nothing behind, and the next one has its turn', async () => {
    const { prediction } = serving;
    const first = await prediction.createBatchPrediction({ batchPrediction: batchPrediction('cancelled') });
    const second = await prediction.createBatchPrediction({ batchPrediction: batchPrediction('next') });
    await watchUntil(prediction, first.name, firstBatchDone);
    expect((await prediction.getBatchPrediction({ name: second.name })).state).toBe('STATE_QUEUED');
    await prediction.cancelBatchPrediction({ name: first.name });
    expect((await watchUntil(prediction, first.name, never)).state).toBe('STATE_CANCELLED');
    expect(await rpcFailure(getTable(flight, 'datasets/cancelled'))).toMatchObject({ code: 'NOT_FOUND' });
    preprocessing.open();
    await expectWhole(await watchUntil(prediction, second.name, never));
  });

  it('before its turn ends at once', async () => {
    const { prediction } = serving;
    const first = await prediction.createBatchPrediction({ batchPrediction: batchPrediction('before') });
    const second = await prediction.createBatchPrediction({ batchPrediction: batchPrediction('after') });
    const cancelled = await prediction.cancelBatchPrediction({ name: second.name });
    expect(cancelled).toMatchObject({ state: 'STATE_CANCELLED', attempts: 0 });
    preprocessing.open();
    await expectWhole(await watchUntil(prediction, first.name, never));
  });
});

describe('while preprocessing is away', () => {
  it('a new job is refused with UNAVAILABLE, and one that ran says why it waits and begins again', async () => {
    const { prediction } = serving;
    const { name } = await prediction.createBatchPrediction({ batchPrediction: batchPrediction('interrupted') });
    await watchUntil(prediction, name, firstBatchDone);
    await preprocessing.stop();
    const waiting = await watchUntil(prediction, name, ({ waitingReason }) => waitingReason !== '');
    expect(waiting).toMatchObject({ state: 'STATE_RUNNING', rowsDone: 0 });
    const refused = prediction.createBatchPrediction({ batchPrediction: batchPrediction('refused') });
    expect(await rpcFailure(refused)).toMatchObject({ code: 'UNAVAILABLE' });
    preprocessing.open();
    await preprocessing.start();
    const last = await watchUntil(prediction, name, never);
    expect(last.attempts).toBeGreaterThan(1);
    expect(last.waitingReason).toBe('');
    await expectWhole(last);
  });
});

describe('a service that is killed in the middle of a job', () => {
  it.each([1, 2])('finishes it after its restart, with %i workers', async (workers) => {
    const args = [
      ...[`--data-dir=${tempFolder()}`, '--port=0', '--metrics-port=0', '--log-level=silent', `--workers=${workers}`],
      ...[preprocessingAddress, `--registry-address=127.0.0.1:${serving.registryPort}`],
    ];
    let service = await startSource(args);
    try {
      const request = { batchPrediction: batchPrediction(`killed-${workers}`), requestId: 'once' };
      const { name } = await service.client.createBatchPrediction(request);
      const running = await watchUntil(service.client, name, firstBatchDone);
      expect([running.state, running.error]).toEqual(['STATE_RUNNING', null]);
      await service.kill();
      expect(await rpcFailure(getTable(flight, `datasets/killed-${workers}`))).toMatchObject({ code: 'NOT_FOUND' });
      preprocessing.open();
      service = await startSource(args);
      const last = await watchUntil(service.client, name, never);
      expect(last.attempts).toBe(2);
      await expectWhole(last);
      expect((await service.client.createBatchPrediction(request)).name).toBe(name);
    } finally {
      await service.kill();
    }
  });
});

async function startSource(args: string[]) {
  const service = await ServiceProcess.start('inference', args);
  const client = createClient(contracts.prediction, `127.0.0.1:${service.port}`);
  return {
    client,
    async kill() {
      client.close();
      await service.kill();
    },
  };
}
