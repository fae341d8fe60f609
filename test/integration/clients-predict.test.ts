import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { predictLines } from '../../clients/cli/predict-lines-command.js';
import { type PredictDatasetOptions, predictDataset, predictionsList } from '../../clients/cli/predictions-command.js';
import { Millrace } from '../../clients/sdk/index.js';
import { contracts, createClient } from '../../proto/index.js';
import type { RunningService } from '../../services/platform/main.js';
import { readConfig } from '../../services/preprocessing/config.js';
import { startPreprocessing } from '../../services/preprocessing/service.js';
import { putTable } from '../support/flight-table.js';
import { guestsOf, guestTable } from '../support/guests.js';
import { publish } from '../support/published-model.js';
import { Serving, silentLog } from '../support/serving.js';
import { tabularFiles, tiers } from '../support/tabular-model.js';
import { tempFolder } from '../support/temp-folder.js';

const folder = tempFolder();
const guests = guestsOf(40);
const common = { host: '127.0.0.1', portBase: 0, json: true };
let preprocessing: RunningService;
let serving: Serving;
let millrace: Millrace;
let printed: string;

beforeAll(async () => {
  const args = [`--data-dir=${folder}`, '--port=0', '--stop-grace-ms=1000'];
  preprocessing = await startPreprocessing(readConfig(args, {}), silentLog);
  const flight = createClient(contracts.flight, `127.0.0.1:${preprocessing.port}`);
  await putTable(flight, 'datasets/guests', guestTable(guests));
  flight.close();
  serving = await Serving.start(folder, `--preprocessing-address=127.0.0.1:${preprocessing.port}`);
  await publish(serving.registry, 'tiers', tabularFiles(1));
  await serving.serves('tiers', '', 1);
  millrace = new Millrace({ portBase: serving.service.port - 1 });
});
afterAll(async () => {
  millrace?.close();
  await serving?.stop();
  await preprocessing?.stop();
});

beforeEach(() => {
  printed = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += text;
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
});

const printedLines = () =>
  printed
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
const lineOf = ({ age, visits, member, place, spot }: (typeof guests)[number]) =>
  JSON.stringify({ age, visits: visits === null ? null : Number(visits), member, place, spot });

/** A file of these lines. */
function linesFile(...lines: string[]): string {
  const file = path.join(folder, 'records.jsonl');
  writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}

describe('millrace predict --records', () => {
  it('answers each line in order, and says which were refused', async () => {
    const [first, second, third] = guests.map(lineOf) as [string, string, string];
    const records = linesFile('{age}', first, '', '{"age": 1}', second, '[1]', third, '{"age": {}}');
    const call = predictLines(millrace, 'tiers', { ...common, records });
    await expect(call).rejects.toThrow('4 of 7 records were refused.');
    const lines = printedLines();
    expect(lines.map(({ label, error }) => error?.line ?? tiers.includes(label))).toEqual([
      1,
      true,
      4,
      true,
      6,
      true,
      8,
    ]);
    expect(lines[0].error).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/^line 1 is not JSON/),
    });
    expect(lines[2].error.message).toContain('records[0].values["visits"]');
  });

  it('says what is wrong with a file that is not there', async () => {
    const records = path.join(folder, 'absent.jsonl');
    await expect(predictLines(millrace, 'tiers', { ...common, records })).rejects.toThrow('ENOENT');
  });
});

describe('millrace predict --dataset', () => {
  const options: PredictDatasetOptions = { ...common, dataset: 'guests:1', output: 'answers', follow: true };

  it('needs to know where to', async () => {
    const call = predictDataset(millrace, 'tiers', { ...options, output: undefined });
    await expect(call).rejects.toThrow('--output NAME');
  });

  it('follows the job to its end, and lists it', async () => {
    await predictDataset(millrace, 'tiers:1', { ...options, carry: ['id'], scores: true });
    const last = printedLines().at(-1);
    expect(last).toMatchObject({
      state: 'STATE_SUCCEEDED',
      model: 'models/tiers/versions/1',
      dataset: 'datasets/guests/versions/1',
      outputDatasetVersion: 'datasets/answers/versions/1',
      carriedColumns: ['id'],
      includeScores: true,
      rowsDone: guests.length,
    });
    printed = '';
    await predictionsList(millrace, { ...common, json: false });
    expect(printed).toContain('succeeded  40/40  models/tiers/versions/1  datasets/answers/versions/1');
  });

  it('fails with a job that fails', async () => {
    const rows = guests.map((guest) => ({ ...guest, age: null as never }));
    const flight = createClient(contracts.flight, `127.0.0.1:${preprocessing.port}`);
    await putTable(flight, 'datasets/ageless', guestTable(rows));
    flight.close();
    const call = predictDataset(millrace, 'tiers', { ...options, dataset: 'ageless' });
    await expect(call).rejects.toThrow(/failed: .*rows\[0\]\.values\["age"\]/);
  });
});
