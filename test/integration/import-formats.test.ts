import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { deflateRawSync, gzipSync } from 'node:zlib';
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
      path.join(golden, 'rows.csv.zst'),
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
    [
      'a CSV file that is cut off within quotes',
      () => [write('a.csv', 'a,b\n1,"x')],
      'INVALID_ARGUMENT',
      'a.csv: Line 2, row 1, column "b": Expected a closing quote but the file ends. Is it truncated?',
    ],
    [
      'CSV with a row that is too long',
      () => [write('a.csv', 'a,b\n1,2\n3,4,5\n')],
      'INVALID_ARGUMENT',
      'a.csv: Line 3, row 2: Expected 2 fields, as in the header, but received 3: ',
    ],
    [
      'CSV with a row that is too short',
      () => [write('a.csv', 'a,b\n1\n')],
      'INVALID_ARGUMENT',
      'a.csv: Line 2, row 1: Expected 2 fields, as in the header, but received 1: ',
    ],
    [
      'CSV of another encoding',
      () => [write('a.csv', Buffer.from('a,b\n1,caf\xe9\n', 'latin1'))],
      'INVALID_ARGUMENT',
      'a.csv: Line 2, row 1, column "b": Expected UTF-8 but received 0xe9 as byte 6 of the line.',
    ],
    [
      'JSON lines of another encoding',
      () => [write('a.jsonl', Buffer.from('{"a":"caf\xe9"}\n', 'latin1'))],
      'INVALID_ARGUMENT',
      'a.jsonl: Line 1, column "a": Expected UTF-8 but received 0xe9 as byte 10 of the line.',
    ],
    [
      'JSON lines that are cut off',
      () => [write('a.jsonl', '{"a":1}\n{"a":')],
      'INVALID_ARGUMENT',
      'a.jsonl: Line 2: ',
    ],
    [
      'a picture called .csv',
      () => [write('a.csv', Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'))],
      'INVALID_ARGUMENT',
      'a.csv: Line 1, field 1: Expected UTF-8 but received 0x89 as byte 1 of the line.',
    ],
    [
      'text called .png',
      () => [write('x/a.png', 'a,b\n')],
      'INVALID_ARGUMENT',
      'x/a.png: Expected a PNG, JPEG, WebP, GIF or TIFF picture but its first bytes are 97, 44, 98, 10.',
    ],
    [
      'CSV called .gz',
      () => [write('a.csv.gz', 'a,b\n1,2\n')],
      'INVALID_ARGUMENT',
      'a.csv.gz: It cannot be read as a gzip file: incorrect header check.',
    ],
    [
      'a file of gzip that is cut off',
      () => [write('a.csv.gz', gzipSync('a,b\n1,2\n').subarray(0, -4))],
      'INVALID_ARGUMENT',
      'a.csv.gz: It cannot be read as a gzip file: unexpected end of file.',
    ],
    [
      'a picture of 10 billion pixels',
      () => [write('x/b.png', pixelBomb())],
      'INVALID_ARGUMENT',
      'x/b.png: Expected a picture of at most 64000000 pixels but it says 100000 x 100000.',
    ],
    [
      'a zip bomb',
      () => [write('a.npz', zipBomb())],
      'INVALID_ARGUMENT',
      'a.npz: Expected it to hold at most 268435456 bytes, unpacked,',
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

describe('a table of millions of columns', () => {
  const columns = 10_000_000;

  it.each<[string, string, () => Buffer, string]>([
    [
      'CSV',
      'a.csv',
      () => Buffer.from('c,'.repeat(columns)),
      'Line 1: Expected at most 10000 columns but received more.',
    ],
    [
      'JSON lines',
      'a.jsonl',
      () => Buffer.from(`{${Array.from({ length: columns / 10 }, (_, i) => `"${i}":1`).join(',')}}`),
      'Line 1: Expected ',
    ],
  ])('is refused without taking memory for it: %s', async (_, name, content, message) => {
    const file = write(name, content());
    const before = process.memoryUsage().rss;
    await expect(importPaths([file])).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining(message),
    });
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 ** 2);
    expect((await client.listDatasets({})).datasets).toEqual([]);
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

/** Not more than the header of a picture. */
function pixelBomb(): Buffer {
  const header = Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\0\0\0\0\0\x08\x02\0\0\0', 'latin1');
  header.writeUInt32BE(100_000, 16);
  header.writeUInt32BE(100_000, 20);
  return header;
}

/** A zip file of one member that says it has 1 GiB. */
function zipBomb(): Buffer {
  const content = deflateRawSync(Buffer.alloc(1_000_000));
  const [local, entry, end] = [Buffer.alloc(30), Buffer.alloc(46), Buffer.alloc(22)];
  for (const [head, at] of [
    [local, 4],
    [entry, 6],
  ] as const) {
    head.writeUInt16LE(20, at);
    head.writeUInt16LE(8, at + 4);
    head.writeUInt32LE(content.length, at + 14);
    head.writeUInt32LE(1024 ** 3, at + 18);
    head.writeUInt16LE('a.npy'.length, at + 22);
  }
  local.writeUInt32LE(0x04034b50);
  entry.writeUInt32LE(0x02014b50);
  end.writeUInt32LE(0x06054b50);
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(entry.length + 'a.npy'.length, 12);
  end.writeUInt32LE(local.length + 'a.npy'.length + content.length, 16);
  return Buffer.concat([local, Buffer.from('a.npy'), content, entry, Buffer.from('a.npy'), end]);
}

function link(target: string): string {
  const file = path.join(files, 'link.csv');
  symlinkSync(target, file);
  return file;
}
