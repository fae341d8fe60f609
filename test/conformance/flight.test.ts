import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Millrace, readTrainingSpec } from '../../clients/sdk/index.js';
import { millrace as command, mnistFolder, TestMesh } from '../support/mesh.js';
import { tempFolder } from '../support/temp-folder.js';
import { describeWith, python } from './installed-tools.js';
import { PythonReport } from './python-report.js';
import { pixels, testImages, testLabels } from './trained-mesh.js';

const exampleFile = createRequire(import.meta.url).resolve('#examples/mnist.yaml');
const columns = [
  ...['int64', 'int8', 'uint32', 'float64', 'float32', 'bool', 'text', 'category', 'pixels', 'all_missing'],
  ...['null', 'binary', 'large_binary', 'large_text', 'fixed_binary', 'date32', 'date64'],
  ...['timestamp_s', 'timestamp_ms', 'timestamp_us', 'timestamp_ns', 'timestamp_tz', 'decimal'],
  ...['list', 'large_list', 'list_of_lists', 'matrix', 'struct'],
];
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

interface RoundTrip {
  types: string[];
  sent_types: string[];
  null_counts: number[];
  sent_null_counts: number[];
}

describeWith(await python(), "pyarrow's Flight client", (interpreter) => {
  const folder = tempFolder();
  let mesh: TestMesh;
  let millrace: Millrace;
  let report: PythonReport;

  beforeAll(async () => {
    mesh = await TestMesh.start(path.join(folder, 'data'));
    millrace = new Millrace({ portBase: mesh.portBase });
    const imported = await command('data', 'import', 'mnist', mnistFolder, `--port-base=${mesh.portBase}`);
    expect(imported).toMatchObject({ status: 0 });
    const { dataset, pipeline: spec, split } = readTrainingSpec(readFileSync(exampleFile, 'utf8'));
    const pipeline = await millrace.preprocessing.fitPipeline({ dataset, spec, split });
    const args = [`127.0.0.1:${mesh.portBase + 5}`, pipeline.name];
    report = await PythonReport.of(interpreter, 'flight_client.py', args);
  });
  afterAll(async () => {
    millrace?.close();
    await mesh?.stop();
  });

  const value = (check: string) => report.value(check);

  it('puts a table of every type and gets it back unchanged', () => {
    const found = value('round_trip') as RoundTrip;
    expect(found).toMatchObject({ rows: 1000, equal: columns });
    expect(found.types).toEqual(found.sent_types);
    expect(found.null_counts).toEqual(found.sent_null_counts);
  });

  it('puts the same rows in other batches without making another version', () => {
    expect(value('round_trip_in_batches')).toBe(true);
  });

  it('puts slices of larger buffers', () => {
    expect(value('round_trip_of_slices')).toBe(true);
  });

  it('puts batches of compressed buffers', () => {
    const found = { version: 'datasets/table/versions/1', equal: true, in_parts: true };
    expect(value('round_trip_of_compressed')).toEqual({ lz4: found, zstd: found });
  });

  it('puts dictionaries that change from batch to batch', () => {
    expect(value('changing_dictionaries')).toEqual(['a', 'b', 'a', 'c', 'a', 'b', 'd', null]);
  });

  it('puts other rows as the next version', () => {
    expect(value('new_version')).toEqual([10, 1000, 10]);
  });

  it('is seen by our own client', async () => {
    const version = await millrace.preprocessing.getDatasetVersion({ name: 'datasets/table/versions/1' });
    expect(version).toMatchObject({ rowCount: 1000, sources: ['flight'] });
    expect(version.columns.map(({ name }) => name)).toEqual(columns);
  });

  it('lists flights', () => {
    const flights = value('list_flights') as string[];
    const names = ['datasets/mnist', 'datasets/table', 'datasets/slices', 'datasets/dictionaries'];
    for (const name of names) {
      expect(flights.filter((flight) => flight === name || flight.startsWith(`${name}/`))).not.toEqual([]);
    }
  });

  it('gets the flight info and fetches by its tickets', () => {
    expect(value('flight_info')).toEqual({ rows: 1000, endpoints: 1, same_schema: true, equal: true });
  });

  it('gets the schema', () => {
    expect(value('schema')).toBe(true);
  });

  it('gets the tensors of a pipeline as numpy arrays of bytes, without a copy', () => {
    const kinds = { dtype: 'uint8', labels_dtype: 'int32' };
    expect(value('tensors')).toMatchObject({
      train: { ...kinds, info_rows: 55_000, shape: [55_000, pixels] },
      validation: { ...kinds, info_rows: 5_000, shape: [5_000, pixels] },
      test: {
        ...kinds,
        info_rows: 10_000,
        shape: [10_000, pixels],
        // Byte for byte what stands in the files of MNIST.
        features: sha256(testImages()),
        labels: sha256(testLabels()),
      },
    });
  });

  it('gets some rows of some columns', () => {
    expect(value('part')).toEqual({ rows: 400, schema: true, equal: true });
  });

  it('is told of each batch of a put while it goes on, and of the version', () => {
    expect(value('acknowledged')).toEqual([
      { batch: 1, rowCount: 400 },
      { batch: 2, rowCount: 800 },
      { batch: 3, rowCount: 1000 },
      expect.objectContaining({ name: 'datasets/acknowledged/versions/1', rowCount: 1000 }),
    ]);
  });

  it('need not read what it is told', () => {
    expect(value('unread')).toBe(1000);
  });

  it('exchanges records for tensors, with the metadata of each batch', () => {
    const answer = { metadata: ['batch 0', 'batch 1', 'batch 2'], same: true };
    // Plain, and with buffers compressed by LZ4 and zstd.
    expect(value('exchanged')).toEqual([answer, answer, answer]);
  });

  it('logs in by handshake and by header', () => {
    expect(value('handshake')).toEqual(['anonymous', 'Bearer anonymous', 1]);
  });

  it('renews a ticket and drops a dataset', () => {
    expect(value('actions')).toEqual(['CancelFlightInfo', 'DropDataset', 'RenewFlightEndpoint']);
    expect(value('dropped')).toEqual({ renewed: true, left: 0 });
  });

  it.each([
    ['refuses_exchange', 'ArrowInvalid', 'Expected column "image" to be FixedSizeList[784]<Uint8> but it is Float64.'],
    ['refuses_unknown_dataset', 'KeyError', 'datasets/none'],
    ['refuses_unknown_version', 'KeyError', 'datasets/table/versions/99'],
    ['refuses_unknown_pipeline', 'KeyError', 'pipelines/none'],
    ['refuses_no_name', 'ArrowInvalid', 'what is this'],
    ['refuses_nan', 'ArrowInvalid', 'Expected column "height" to hold finite numbers but received NaN in row 42.'],
    ['refuses_infinity', 'ArrowInvalid', 'column "height" to hold finite numbers but received Infinity in row 100.'],
    ['refuses_type', 'ArrowInvalid', '"how long"'],
    ['refuses_dataset_name', 'ArrowInvalid', 'No Such Name'],
  ])('%s with %s', (check, type, words) => {
    expect(value(check)).toEqual({ type: expect.arrayContaining([type]), message: expect.stringContaining(words) });
  });

  it('leaves nothing behind where it was refused', () => {
    expect(value('nothing_is_kept')).toEqual([]);
  });
});
