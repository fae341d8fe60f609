import * as arrow from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BatchPrediction, BatchPrediction__Output as Job } from '../../proto/gen/millrace/v1/BatchPrediction.js';
import type { Prediction__Output as Prediction } from '../../proto/gen/millrace/v1/Prediction.js';
import { contracts, createClient } from '../../proto/index.js';
import type { RunningService } from '../../services/platform/main.js';
import { readConfig } from '../../services/preprocessing/config.js';
import { startPreprocessing } from '../../services/preprocessing/service.js';
import { type FlightClient, getTable, putTable } from '../support/flight-table.js';
import { type Guest, guestsOf, guestTable, toRecord } from '../support/guests.js';
import { modelFiles, publish } from '../support/published-model.js';
import { rpcFailure } from '../support/rpc-failure.js';
import { Serving, silentLog } from '../support/serving.js';
import { tabularFiles, tiers, wishes } from '../support/tabular-model.js';
import { tempFolder } from '../support/temp-folder.js';

const dataDir = tempFolder();
const rowCount = 10_000;
const guests = guestsOf(rowCount);
let preprocessingService: RunningService;
let serving: Serving;
let flight: FlightClient;

async function predictAll(model: string, rows: readonly Guest[]): Promise<Prediction[]> {
  const { predictions } = await serving.prediction.predict({ model, records: rows.map(toRecord) });
  return predictions;
}

const job = (changes: BatchPrediction = {}): BatchPrediction => ({
  model: 'models/tiers',
  dataset: 'datasets/guests',
  outputDataset: 'datasets/answers',
  ...changes,
});

/** Follows a job to its end. */
async function finish(batchPrediction: BatchPrediction): Promise<Job[]> {
  const { name } = await serving.prediction.createBatchPrediction({ batchPrediction });
  const seen: Job[] = [];
  for await (const state of serving.prediction.watchBatchPrediction({ name })) {
    seen.push(state);
  }
  return seen;
}

async function succeed(batchPrediction: BatchPrediction): Promise<[Job, arrow.Table]> {
  const last = (await finish(batchPrediction)).at(-1)!;
  expect([last.state, last.error]).toEqual(['STATE_SUCCEEDED', null]);
  return [last, await getTable(flight, last.outputDatasetVersion)];
}

const columnOf = (table: arrow.Table, name: string) => [...table.getChild(name)!];

beforeAll(async () => {
  const args = [`--data-dir=${dataDir}`, '--port=0', '--stop-grace-ms=1000'];
  preprocessingService = await startPreprocessing(readConfig(args, {}), silentLog);
  serving = await Serving.start(dataDir, `--preprocessing-address=127.0.0.1:${preprocessingService.port}`);
  flight = createClient(contracts.flight, `127.0.0.1:${preprocessingService.port}`);
  await publish(serving.registry, 'tiers', tabularFiles(1));
  await publish(serving.registry, 'tiers', tabularFiles(2), ['champion']);
  await publish(serving.registry, 'tiers', tabularFiles(3), ['candidate']);
  await publish(serving.registry, 'kept', tabularFiles(4, 'binary'));
  await publish(serving.registry, 'price', tabularFiles(5, 'number'));
  await publish(serving.registry, 'stays', tabularFiles(7, 'numbers'));
  await publish(serving.registry, 'wishes', tabularFiles(6, 'labels'));
  const { 'pipeline.json': _, ...withoutPipeline } = modelFiles({ seed: 1 });
  await publish(serving.registry, 'bare', withoutPipeline);
  await serving.registry.createModel({ modelId: 'empty' });
  await putTable(flight, 'datasets/guests', guestTable(guests));
  await serving.serves('price', '', 1);
});
afterAll(async () => {
  flight?.close();
  await serving?.stop();
  await preprocessingService?.stop();
});

describe('CreateBatchPrediction refuses', () => {
  const create = (batchPrediction: BatchPrediction | null, requestId = '') =>
    rpcFailure(serving.prediction.createBatchPrediction({ batchPrediction, requestId }));

  it('nothing', async () => {
    expect(await create(null)).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('all that is malformed at once', async () => {
    const { code, details } = await create(
      { model: 'tiers', dataset: 'guests', outputDataset: 'datasets/Answers', carriedColumns: ['id', 'id'] },
      'x'.repeat(101),
    );
    expect(code).toBe('INVALID_ARGUMENT');
    expect(details.fieldViolations.map(({ field }) => field)).toEqual([
      'batch_prediction.model',
      'batch_prediction.dataset',
      'batch_prediction.output_dataset',
      'batch_prediction.carried_columns',
      'request_id',
    ]);
  });

  it.each<[string, BatchPrediction, RegExp]>([
    ['a version as the output', { outputDataset: 'datasets/answers/versions/2' }, /output_dataset.*versions\/2/],
    ['a column that is not there', { carriedColumns: ['id', 'nmae'] }, /carried_columns.*id, age.*received "nmae"/],
    ['a star among names', { carriedColumns: ['*', 'id'] }, /single \*/],
    ['scores of a number', { model: 'models/price', includeScores: true }, /include_scores.*false/],
    ['one probability of several classes', { model: 'models/wishes', includeProbability: true }, /several classes/],
    ['the probability of a number', { model: 'models/price', includeProbability: true }, /include_probability/],
    ['an unknown rule for errors', { onError: 7 as never }, /on_error.*ON_ERROR_SKIP.*7/],
  ])('%s', async (_, changes, words) => {
    const { code, message } = await create(job(changes));
    expect([code, message]).toEqual(['INVALID_ARGUMENT', expect.stringMatching(words)]);
  });

  it('a dataset without the columns that the model reads', async () => {
    await putTable(flight, 'datasets/ages', arrow.tableFromArrays({ age: Float64Array.of(1, 2) }));
    const { message } = await create(job({ dataset: 'datasets/ages' }));
    expect(message).toMatch(/dataset.*age, visits, member.*without visits, member, place, spot/);
  });

  it.each<[string, BatchPrediction, string]>([
    ['an unknown model', { model: 'models/tires' }, 'models/tires'],
    ['an unknown version', { model: 'models/tiers/versions/9' }, 'models/tiers/versions/9'],
    ['an unknown alias', { model: 'models/tiers/aliases/best' }, 'It has candidate, champion.'],
    ['an unknown dataset', { dataset: 'datasets/gests' }, 'datasets/gests'],
    ['an unknown version of a dataset', { dataset: 'datasets/guests/versions/9' }, 'datasets/guests/versions/9'],
  ])('%s', async (_, changes, words) => {
    const { code, message } = await create(job(changes));
    expect([code, message]).toEqual(['NOT_FOUND', expect.stringContaining(words)]);
  });

  it.each([
    ['a model without a pipeline', 'models/bare', 'has no pipeline'],
    ['a model without versions', 'models/empty', 'no version'],
  ])('%s', async (_, model, words) => {
    const { code, message } = await create(job({ model }));
    expect([code, message]).toEqual(['FAILED_PRECONDITION', expect.stringContaining(words)]);
  });

  it('another job under a request id that was used', async () => {
    const batchPrediction = job({ outputDataset: 'datasets/repeated' });
    const once = await serving.prediction.createBatchPrediction({ batchPrediction, requestId: 'r' });
    const twice = await serving.prediction.createBatchPrediction({ batchPrediction, requestId: 'r' });
    expect(twice.name).toBe(once.name);
    expect(await create(job({ outputDataset: 'datasets/other' }), 'r')).toMatchObject({ code: 'ALREADY_EXISTS' });
  });

  it('names of jobs that are not there', async () => {
    const name = 'batchPredictions/nothing';
    const { prediction } = serving;
    expect(await rpcFailure(prediction.getBatchPrediction({ name }))).toMatchObject({ code: 'NOT_FOUND' });
    expect(await rpcFailure(prediction.cancelBatchPrediction({ name }))).toMatchObject({ code: 'NOT_FOUND' });
    const watching = prediction.watchBatchPrediction({ name }).next();
    expect(await rpcFailure(watching)).toMatchObject({ code: 'NOT_FOUND' });
    const malformed = rpcFailure(prediction.getBatchPrediction({ name: 'jobs/x' }));
    expect(await malformed).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

describe('a batch prediction', () => {
  it('answers every row as Predict does, beside the columns that are carried over', async () => {
    const asked = { carriedColumns: ['*'], includeProbability: true, includeScores: true };
    const [last, table] = await succeed(job({ ...asked, outputDataset: 'datasets/all' }));
    expect(last).toMatchObject({
      model: 'models/tiers',
      modelVersion: 'models/tiers/versions/2',
      datasetVersion: 'datasets/guests/versions/1',
      outputDatasetVersion: 'datasets/all/versions/1',
      rowsDone: rowCount,
      rowsTotal: rowCount,
      skippedRowCount: 0,
      attempts: 1,
    });
    const added = ['prediction', 'probability', ...tiers.map((tier) => `score_${tier}`)];
    const original = await getTable(flight, 'datasets/guests');
    const fields = original.schema.fields.map(String);
    expect(table.schema.fields.map(String)).toEqual([
      ...fields,
      'prediction: Utf8',
      ...added.slice(1).map((name) => `${name}: Float64`),
    ]);
    for (const name of ['id', 'age', 'visits', 'member', 'place']) {
      expect(columnOf(table, name)).toEqual(columnOf(original, name));
    }
    expect(columnOf(table, 'spot').map((spot) => [...spot])).toEqual(guests.map(({ spot }) => spot));
    const unary = await predictAll('models/tiers', guests);
    expect(columnOf(table, 'prediction')).toEqual(unary.map(({ label }) => label));
    expect(columnOf(table, 'probability')).toEqual(unary.map(({ scores }) => scores[0]!.probability));
    for (const tier of tiers) {
      const expected = unary.map(({ scores }) => scores.find(({ label }) => label === tier)!.probability);
      expect(columnOf(table, `score_${tier}`)).toEqual(expected);
    }
    expect(new Set(unary.map(({ label }) => label)).size).toBeGreaterThan(1);
  });

  it.each<[string, BatchPrediction, string, (prediction: Prediction) => unknown]>([
    ['one of two', { model: 'models/kept' }, 'datasets/kept', ({ label }) => label],
    ['a number', { model: 'models/price' }, 'datasets/price', ({ number }) => number],
    ['what an alias means', { model: 'models/tiers/aliases/candidate' }, 'datasets/candidate', ({ label }) => label],
  ])('predicts %s, and nothing beside it unless asked', async (_, changes, outputDataset, read) => {
    const [last, table] = await succeed(job({ ...changes, outputDataset }));
    expect(table.schema.names).toEqual(['prediction']);
    const some = guests.slice(0, 500);
    const unary = await predictAll(changes.model!, some);
    expect(columnOf(table, 'prediction').slice(0, 500)).toEqual(unary.map(read));
    expect(table.numRows).toBe(last.rowsTotal);
  });

  it('makes no second version of what is there already', async () => {
    const [first] = await succeed(job({ outputDataset: 'datasets/twice' }));
    const [second] = await succeed(job({ outputDataset: 'datasets/twice' }));
    expect(second.outputDatasetVersion).toBe(first.outputDatasetVersion);
  });

  it('fails with the row and the column that cannot be predicted', async () => {
    const rows = guests.slice(0, 5_000).map((guest, i) => (i === 4_321 ? { ...guest, age: null as never } : guest));
    await putTable(flight, 'datasets/gap', guestTable(rows, 2_000));
    const last = (await finish(job({ dataset: 'datasets/gap', outputDataset: 'datasets/gap-answers' }))).at(-1)!;
    expect(last.state).toBe('STATE_FAILED');
    expect(last.error).toMatchObject({ code: 3, message: expect.stringContaining('`rows[4321].values["age"]`') });
    expect(await rpcFailure(getTable(flight, 'datasets/gap-answers'))).toMatchObject({ code: 'NOT_FOUND' });
  });

  it('skips such rows where it is told to, and counts them', async () => {
    const gaps = [0, 17, 18, 4_321, 4_999];
    const rows = guests
      .slice(0, 5_000)
      .map((guest, i) => (gaps.includes(i) ? { ...guest, age: null as never } : guest));
    await putTable(flight, 'datasets/gaps', guestTable(rows, 2_000));
    const asked = { includeProbability: true, onError: 'ON_ERROR_SKIP' as const };
    const [last, table] = await succeed(
      job({ ...asked, dataset: 'datasets/gaps', outputDataset: 'datasets/gaps-answers' }),
    );
    expect(last.skippedRowCount).toBe(gaps.length);
    const predictions = columnOf(table, 'prediction');
    expect(predictions.flatMap((label, i) => (label === null ? [i] : []))).toEqual(gaps);
    expect(columnOf(table, 'probability').flatMap((p, i) => (p === null ? [i] : []))).toEqual(gaps);
    const [some, unary] = [[1, 16, 19, 4_320, 4_998], await predictAll('models/tiers', guests.slice(0, 5_000))];
    expect(some.map((i) => predictions[i])).toEqual(some.map((i) => unary[i]!.label));
  });

  it('answers lists where a row may be of several classes, and none for a row that is skipped', async () => {
    const rows = guests.slice(0, 400).map((guest, i) => (i === 7 ? { ...guest, age: null as never } : guest));
    await putTable(flight, 'datasets/wishing', guestTable(rows, 150));
    const asked = { includeScores: true, onError: 'ON_ERROR_SKIP' as const };
    const [, table] = await succeed(
      job({ ...asked, model: 'models/wishes', dataset: 'datasets/wishing', outputDataset: 'datasets/wishes' }),
    );
    expect(table.schema.fields.map(({ type }) => String(type))).toEqual(['List<Utf8>', ...wishes.map(() => 'Float64')]);
    const unary = await predictAll('models/wishes', guests.slice(0, 400));
    const lists = columnOf(table, 'prediction').map((list) => list && [...list]);
    expect(lists).toEqual(unary.map(({ labels }, i) => (i === 7 ? null : labels)));
    expect(new Set(lists.map(String)).size).toBeGreaterThan(2);
    for (const wish of wishes) {
      const expected = unary.map(({ scores }) => scores.find(({ label }) => label === wish)!.probability);
      expect(columnOf(table, `score_${wish}`)).toEqual(expected.map((p, i) => (i === 7 ? null : p)));
    }
  });

  it('answers each of several numbers in a column of its own', async () => {
    const stays = { model: 'models/stays', dataset: 'datasets/wishing', onError: 'ON_ERROR_SKIP' as const };
    const refused = job({ ...stays, includeScores: true, outputDataset: 'datasets/refused' });
    const { details } = await rpcFailure(serving.prediction.createBatchPrediction({ batchPrediction: refused }));
    expect(details.fieldViolations.map(({ field }) => field)).toEqual(['batch_prediction.include_scores']);
    expect(details.fieldViolations[0]!.description).toContain('the label holds numbers');
    const [, table] = await succeed(job({ ...stays, outputDataset: 'datasets/stays' }));
    const names = ['prediction_price', 'prediction_nights'];
    expect(table.schema.fields.map(({ name, type }) => `${name} ${type}`)).toEqual(
      names.map((name) => `${name} Float64`),
    );
    const unary = await predictAll('models/stays', guests.slice(0, 400));
    for (const [k, name] of names.entries()) {
      expect(columnOf(table, name)).toEqual(unary.map(({ numbers }, i) => (i === 7 ? null : numbers[k]!.value)));
    }
  });

  it('tells of its progress, and lists what there is, newest first', async () => {
    const seen = await finish(job({ outputDataset: 'datasets/watched' }));
    const rows = seen.map(({ rowsDone }) => rowsDone);
    expect(rows).toEqual([...rows].sort((a, b) => a - b));
    const { name } = seen[0]!;
    // Watching what has ended answers once.
    const again: Job[] = [];
    for await (const state of serving.prediction.watchBatchPrediction({ name })) {
      again.push(state);
    }
    expect(again).toEqual([await serving.prediction.getBatchPrediction({ name })]);
    const first = await serving.prediction.listBatchPredictions({ pageSize: 1 });
    expect(first.batchPredictions.map((one) => one.name)).toEqual([name]);
    const second = await serving.prediction.listBatchPredictions({ pageToken: first.nextPageToken });
    expect(second.batchPredictions.length).toBeGreaterThan(3);
    expect(second.batchPredictions.map((one) => one.name)).not.toContain(name);
    expect(await rpcFailure(serving.prediction.cancelBatchPrediction({ name }))).toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringContaining('it has succeeded'),
    });
  });
});
