import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ImportProgress, importDataset } from '../../clients/sdk/dataset-import.js';
import type { DatasetVersion__Output } from '../../proto/gen/millrace/v1/DatasetVersion.js';
import { contracts, createClient, type RpcClient, RpcError } from '../../proto/index.js';
import { readConfig } from '../../services/preprocessing/config.js';
import { startPreprocessing } from '../../services/preprocessing/service.js';
import { millrace } from '../support/mesh.js';
import { tempFolder } from '../support/temp-folder.js';

const golden = path.join(import.meta.dirname, '../golden/import');

let dataDir: string;
let files: string;
let client: RpcClient<typeof contracts.preprocessing.clientType>;
let port: number;
let stop: () => Promise<void>;

beforeEach(async () => {
  dataDir = tempFolder();
  files = tempFolder();
  const args = ['--data-dir', dataDir, '--port', '0', '--import-folders', [files, golden].join(path.delimiter)];
  const service = await startPreprocessing(readConfig(args, {}), pino({ level: 'silent' }));
  port = service.port;
  client = createClient(contracts.preprocessing, `127.0.0.1:${service.port}`);
  stop = async () => {
    client.close();
    await service.stop();
  };
});
afterEach(() => stop());

function write(name: string, content: string | Uint8Array): string {
  const file = path.join(files, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, content);
  return file;
}

/** Imports, and looks at the progress on the way. */
async function importPaths(paths: string[], types: Record<string, string> = {}): Promise<DatasetVersion__Output> {
  let [rows, bytes] = [0, 0];
  let version: DatasetVersion__Output | null = null;
  for await (const { progress, datasetVersion } of client.importDataset({ dataset: 'datasets/a', paths, types })) {
    if (progress) {
      expect(progress.rowCount).toBeGreaterThanOrEqual(rows);
      expect(progress.bytesDone).toBeGreaterThanOrEqual(bytes);
      expect(progress.bytesDone).toBeLessThanOrEqual(progress.bytesTotal + 1);
      [rows, bytes] = [progress.rowCount, progress.bytesDone];
    }
    version = datasetVersion ?? null;
  }
  expect(rows).toBe(version!.rowCount);
  return version!;
}

const columnsOf = ({ columns }: DatasetVersion__Output) =>
  columns.map(({ name, type }) => `${name} ${type}`).join(', ');

describe('ImportDataset', () => {
  it.each<[string, () => string[], string, number]>([
    ['TSV', () => [write('a.tsv', 'a\tb\n1\tx\n')], 'a Int64, b Utf8', 1],
    ['JSON lines', () => [write('a.jsonl', '{"a":1}\n{"b":[1,2]}\n')], 'a Int64, b FixedSizeList[2]<Int64>', 2],
    ['Parquet', () => [path.join(golden, 'types-zstd.parquet')], 'bool Bool, int8 Int8', 3],
    ['an Arrow file', () => [path.join(golden, 'types-file.arrow')], 'bool Bool, int8 Int8', 3],
    ['an Arrow stream', () => [path.join(golden, 'types-stream.arrow')], 'bool Bool, int8 Int8', 3],
    ['NumPy', () => [path.join(golden, 'splits.npz')], 'images FixedSizeList[12]<Uint16>, int8 Int8, split Utf8', 4],
    [
      'text files',
      () => [path.dirname(path.dirname(write('t/x/a.txt', 'hello')))],
      'text Utf8, label Utf8, file Utf8',
      1,
    ],
    ['WAV files', () => [path.dirname(write('w/a.wav', 'RIFF0000WAVE'))], 'sound Binary, file Utf8', 1],
    [
      'pictures',
      () => [path.dirname(path.dirname(write('p/x/a.gif', 'GIF89a')))],
      'image Binary, label Utf8, file Utf8',
      1,
    ],
  ])('reads %s', async (_, paths, columns, rowCount) => {
    const version = await importPaths(paths());
    expect(columnsOf(version).startsWith(columns)).toBe(true);
    expect(version.rowCount).toBe(rowCount);
    expect(await importPaths(paths())).toEqual(version);
  });

  it('gives the same rows the same digest in every format and compression', async () => {
    const rows = Array.from({ length: 2000 }, (_, i) => ({
      a: i % 7,
      b: ((i * 37) % 1000) / 8,
      c: i % 11 === 0 ? null : `row ${i % 13} of a table`,
    }));
    const csv = `a,b,c\n${rows.map(({ a, b, c }) => `${a},${b.toFixed(3)},${c ?? ''}`).join('\n')}\n`;
    const jsonLines = rows.map((row) => JSON.stringify(row).replace(/"b":(\d+),/, '"b":$1.0,')).join('\n');
    const names = ['snappy.parquet', 'zstd.parquet', 'uncompressed.feather', 'lz4.feather', 'zstd.feather'];
    const files = [
      ...names.map((name) => path.join(golden, `rows-${name}`)),
      write('rows.csv', csv),
      write('rows.csv.gz', gzipSync(csv)),
      write('rows.jsonl.gz', gzipSync(jsonLines)),
    ];
    const version = await importPaths([files[0]!]);
    expect(columnsOf(version)).toBe('a Int64, b Float64, c Utf8');
    for (const file of files) {
      expect([file, await importPaths([file])]).toEqual([file, version]);
    }
  });

  it('does not mind the order in which files are given', async () => {
    const files = ['b', 'c', 'a'].map((name) => write(`${name}.csv`, `x\n${name}\n`));
    const version = await importPaths(files);
    expect(version.sources).toEqual(['a.csv', 'b.csv', 'c.csv']);
    expect(await importPaths(files.toReversed())).toEqual(version);
    expect(await importPaths([files[0]!, files[1]!])).not.toEqual(version);
  });

  it('gives the same content the same digest, whatever format and types it came in', async () => {
    const csv = await importPaths([write('a.csv', 'a,b\n1,x\n2,\n')]);
    expect((await importPaths([write('a.tsv', 'a\tb\n1\tx\n2\t\n')])).digest).toBe(csv.digest);
    expect((await importPaths([write('a.jsonl', '{"a":1,"b":"x"}\n{"a":2}\n')])).digest).toBe(csv.digest);
    const given = await importPaths([write('a.csv', 'a,b\n1,x\n2,\n')], { a: 'Int8' });
    expect(columnsOf(given)).toBe('a Int8, b Utf8');
    expect(given.digest).not.toBe(csv.digest);
  });

  it.each<[string, () => string[], string, string]>([
    [
      'a picture called .parquet',
      () => [write('a.parquet', '\x89PNG\r\n\x1a\n')],
      'INVALID_ARGUMENT',
      'a.parquet: Expected a Parquet file',
    ],
    [
      'NaN in Parquet',
      () => [path.join(golden, 'nan.parquet')],
      'INVALID_ARGUMENT',
      'column "bad" to hold finite numbers but received NaN in row 2',
    ],
    [
      'an Arrow file that is cut off',
      () => [write('a.arrow', 'ARROW1\0\0')],
      'INVALID_ARGUMENT',
      'a.arrow: Expected an Arrow file to end with its footer',
    ],
    [
      'a zip file that is none',
      () => [write('a.npz', 'PK')],
      'INVALID_ARGUMENT',
      'a.npz: It cannot be read as a zip file',
    ],
    ['Python objects', () => [path.join(golden, 'objects.npy')], 'INVALID_ARGUMENT', 'it holds Python objects'],
    ...['NaN', 'nan', '-NAN', '+nan', 'inf', '-Inf', 'Infinity', '1e999'].map(
      (text): [string, () => string[], string, string] => [
        `${text} in CSV`,
        () => [write('a.csv', `a,b\n1,1\n2,${text}\n`)],
        'INVALID_ARGUMENT',
        'Expected column "b" to hold finite numbers but received',
      ],
    ),
    [
      '1e999 in JSON',
      () => [write('a.jsonl', '{"b":1}\n{"b":1e999}')],
      'INVALID_ARGUMENT',
      'column "b" to hold finite numbers but received Infinity in row 2',
    ],
    ['a folder that is not allowed', () => [tempFolder()], 'PERMISSION_DENIED', 'the folders that imports may read'],
    ['a link out of what is allowed', () => [link('/etc/passwd')], 'PERMISSION_DENIED', '(/etc/passwd)'],
  ])('refuses %s and keeps nothing of it', async (_, paths, code, message) => {
    const error = await importPaths(paths()).then(
      () => null,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(RpcError);
    expect(error).toMatchObject({ code, message: expect.stringContaining(message) });
    expect((await client.listDatasets({})).datasets).toEqual([]);
    expect(readdirSync(path.join(dataDir, 'preprocessing/drafts'))).toEqual([]);
  });
});

describe('importing an upload', () => {
  const upload = (...paths: string[]) => importDataset(client, 'datasets/a', paths, { upload: true });
  const drafts = () => readdirSync(path.join(dataDir, 'preprocessing/drafts'));

  /** Files that the service may not read. */
  function outside(files: Record<string, string>): string {
    const folder = tempFolder();
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
      writeFileSync(path.join(folder, name), content);
    }
    return folder;
  }

  it('reads it like files of its own machine, in whatever order they are named', async () => {
    const file = path.join(outside({ 'a.csv': 'x\n1\n' }), 'a.csv');
    const folder = outside({ 'a.csv': 'x\n2\n', 'b.csv': 'x\n3\n' });
    const version = await upload(file, folder);
    expect(version).toMatchObject({ rowCount: 3, sources: ['a.csv', 'a.csv', 'b.csv'] });
    expect(await upload(folder, file)).toEqual(version);
    expect(drafts()).toEqual([]);
  });

  it('keeps the folders that are classes and splits', async () => {
    const folder = outside({ 'train/x/1.txt': 'a', 'train/y/2.txt': 'b', 'test/x/3.txt': 'c', '.DS_Store': '' });
    const progress: string[] = [];
    const onProgress = ({ phase, bytesDone, bytesTotal }: ImportProgress) =>
      progress.push(`${phase} ${bytesDone}/${bytesTotal}`);
    const version = await importDataset(client, 'datasets/a', [folder], { upload: true, onProgress });
    expect(columnsOf(version)).toBe('text Utf8, label Utf8, split Utf8, file Utf8');
    expect(progress).toEqual(['upload 1/3', 'upload 2/3', 'upload 3/3', 'read 3/3']);
  });

  it('tells what is wrong of the file that was named, and keeps nothing', async () => {
    const folder = outside({ 'a.csv': 'x\n1\n', 'b.csv': 'x,y\n1\n' });
    const error = await upload(path.join(folder, 'a.csv'), path.join(folder, 'b.csv')).catch((reason) => reason);
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(error.message).toContain(`${folder}/b.csv: `);
    expect(error.message).not.toContain('uploads/');
    expect(drafts()).toEqual([]);
    expect((await client.listDatasets({})).datasets).toEqual([]);
  });

  it('refuses folders without files before anything is sent', async () => {
    const folder = outside({ 'a/.hidden': '' });
    await expect(upload(folder)).rejects.toThrow(`${folder}/a: Expected a folder with files but it is empty.`);
    await expect(upload(path.join(folder, 'b'))).rejects.toThrow('ENOENT');
  });

  it('is done by the command line', async () => {
    const folder = outside({ 'a.csv': 'x\n1\n' });
    const args = ['data', 'import', 'a', folder, '--json', '--port-base', String(port - 5)];
    expect(await millrace(...args)).toMatchObject({ status: 1, stderr: expect.stringContaining('imports may read') });
    const { stdout, stderr } = await millrace(...args, '--upload');
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toMatchObject({ name: 'datasets/a/versions/1', rowCount: 1 });
  });
});

function link(target: string): string {
  const file = path.join(files, 'link.csv');
  symlinkSync(target, file);
  return file;
}
