import path from 'node:path';
import type { DatasetVersion__Output as DatasetVersion } from '../../proto/gen/millrace/v1/DatasetVersion.js';
import { type Millrace, pages } from '../sdk/index.js';
import { CommandError, type CommonOptions, show, table } from './output.js';
import { fullName, idOf } from './resource-name.js';

const formats = { idx: 'FORMAT_IDX', csv: 'FORMAT_CSV' } as const;
export type FormatName = keyof typeof formats;

/** Imports files and returns the version that holds them. @param onProgress gets rows read so far */
export async function importDataset(
  millrace: Millrace,
  name: string,
  files: string[],
  format: FormatName | undefined,
  onProgress: (rowCount: number) => void,
): Promise<DatasetVersion> {
  const request = {
    dataset: fullName('datasets', name),
    paths: files.map((file) => path.resolve(file)),
    format: format ? formats[format] : 'FORMAT_UNSPECIFIED',
  } as const;
  for await (const event of millrace.preprocessing.importDataset(request)) {
    if (event.datasetVersion) {
      return event.datasetVersion;
    }
    onProgress(event.progress?.rowCount ?? 0);
  }
  throw new CommandError('The import ended without a dataset version.');
}

export async function dataImport(
  millrace: Millrace,
  name: string,
  files: string[],
  options: CommonOptions & { format?: FormatName },
): Promise<void> {
  const live = process.stderr.isTTY && !options.json;
  const version = await importDataset(millrace, name, files, options.format, (rowCount) => {
    if (live) {
      process.stderr.write(`\r${rowCount.toLocaleString('en-US')} rows`);
    }
  });
  if (live) {
    process.stderr.write('\r\x1b[2K');
  }
  show(
    options,
    version,
    describeVersion(version),
    `write a spec with \`dataset: ${fullName('datasets', name)}\` and run: millrace train -f SPEC.yaml --follow`,
  );
}

export async function dataList(millrace: Millrace, options: CommonOptions): Promise<void> {
  const datasets = [];
  for await (const page of pages((pageToken) => millrace.preprocessing.listDatasets({ pageToken }))) {
    datasets.push(...page.datasets);
  }
  const rows = datasets.map(({ name, latestVersion }) => [idOf(name), String(latestVersion)]);
  show(options, datasets, table([['DATASET', 'LATEST VERSION'], ...rows]), 'millrace data describe NAME');
}

export async function dataDescribe(millrace: Millrace, name: string, options: CommonOptions): Promise<void> {
  const version = await millrace.preprocessing.getDatasetVersion({ name: fullName('datasets', name) });
  show(options, version, describeVersion(version));
}

function describeVersion(version: DatasetVersion): string[] {
  const { name, digest, rowCount, sizeBytes, columns } = version;
  const rows = columns.map((column) => [column.name, column.type, column.shape.join(' x '), String(column.nullCount)]);
  return [
    `${name}  ${rowCount.toLocaleString('en-US')} rows  ${(sizeBytes / 1e6).toFixed(1)} MB  ${digest}`,
    ...table([['COLUMN', 'TYPE', 'SHAPE', 'MISSING'], ...rows]),
  ];
}
