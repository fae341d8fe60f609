import type { DatasetVersion__Output as DatasetVersion } from '../../proto/gen/millrace/v1/DatasetVersion.js';
import type { Finding__Output as Finding } from '../../proto/gen/millrace/v1/Finding.js';
import type { LabelSpec } from '../../proto/gen/millrace/v1/LabelSpec.js';
import { type ImportFormatName, type ImportProgress, type Millrace, pages, readPipelineFit } from '../sdk/index.js';
import { columnLines, findingLines } from './dataset-report.js';
import { type CommonOptions, show, table } from './output.js';
import { datasetName, fullName, idOf } from './resource-name.js';
import { specText } from './spec-file.js';

interface ImportCommandOptions extends CommonOptions {
  format?: ImportFormatName;
  /** Arrow types by column. */
  type: Record<string, string>;
  missing?: string[];
  upload?: boolean;
}

export async function dataImport(
  millrace: Millrace,
  name: string,
  files: string[],
  options: ImportCommandOptions,
): Promise<void> {
  const { format, type: types, missing: missingValues, upload } = options;
  const live = process.stderr.isTTY && !options.json;
  const onProgress = (progress: ImportProgress) => {
    if (live) {
      process.stderr.write(`\r\x1b[2K${progressLine(progress)}`);
    }
  };
  const dataset = fullName('datasets', name);
  const version = await millrace.importDataset(dataset, files, { format, types, missingValues, upload, onProgress });
  if (live) {
    process.stderr.write('\r\x1b[2K');
  }
  show(
    options,
    version,
    describeVersion(version),
    `write a spec with \`dataset: ${dataset}\` and run: millrace train -f SPEC.yaml --follow`,
  );
}

const phases = { upload: 'sent', fetch: 'fetched', read: 'read' };

function progressLine({ phase, rowCount, bytesDone, bytesTotal }: ImportProgress): string {
  const share = bytesTotal > 0 ? ` of ${megabytes(bytesTotal)}` : '';
  const rows = rowCount > 0 ? `, ${rowCount.toLocaleString('en-US')} rows` : '';
  return `${phases[phase]} ${megabytes(bytesDone)}${share}${rows}`;
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

export async function dataList(millrace: Millrace, options: CommonOptions): Promise<void> {
  const datasets = [];
  for await (const page of pages((pageToken) => millrace.preprocessing.listDatasets({ pageToken }))) {
    datasets.push(...page.datasets);
  }
  const rows = datasets.map(({ name, latestVersion }) => [idOf(name), String(latestVersion)]);
  show(options, datasets, table([['DATASET', 'LATEST VERSION'], ...rows]), 'millrace data describe NAME');
}

interface DescribeOptions extends CommonOptions {
  label?: string[];
  separator?: string;
  file?: string;
}

/** Figures of every column, and what is likely to spoil a model. */
export async function dataDescribe(millrace: Millrace, text: string, options: DescribeOptions): Promise<void> {
  const fit = options.file === undefined ? null : readPipelineFit(await specText(options.file));
  const version = await millrace.preprocessing.getDatasetVersion({ name: datasetName(text) });
  const description = await millrace.preprocessing.describeDatasetVersion({
    name: version.name,
    ...labelOf(fit?.spec?.label),
    ...(options.label && { labelColumns: options.label }),
    ...(options.separator && { labelSeparator: options.separator }),
    split: fit?.split,
  });
  const lines = [summary(version), ...columnLines(description.columns), '', ...reportLines(description.findings)];
  show(options, { ...version, ...description }, lines, `millrace data preview ${text}`);
}

/** What of a spec's label the report is asked by. */
function labelOf(label: LabelSpec | null | undefined) {
  const columns = label?.columns?.length ? label.columns : [label?.column ?? ''];
  return { labelColumns: columns.filter((name) => name !== ''), labelSeparator: label?.separator ?? '' };
}

function reportLines(findings: readonly Finding[]): string[] {
  return findings.length > 0 ? findingLines(findings) : ['Nothing was found that is likely to spoil a model.'];
}

interface PreviewOptions extends CommonOptions {
  rows?: number;
  from?: number;
  sample?: number;
  columns?: string[];
}

/** Rows as they are, a JSON object a line. */
export async function dataPreview(millrace: Millrace, text: string, options: PreviewOptions): Promise<void> {
  const { rows: rowCount, from: firstRow, sample: sampleSeed, columns } = options;
  const rows = await millrace.previewDataset(datasetName(text), { rowCount, firstRow, sampleSeed, columns });
  const lines = rows.map(({ number, json }) => `${number}  ${json}`);
  if (options.json) {
    // The text of each row as it came: parsed, it would lose digits of large integers.
    process.stdout.write(`[${rows.map(({ number, json }) => `{"number":${number},"values":${json}}`).join(',')}]\n`);
    return;
  }
  show(options, rows, lines);
}

function describeVersion(version: DatasetVersion): string[] {
  const rows = version.columns.map((column) => [
    column.name,
    column.type,
    column.shape.join(' x '),
    String(column.nullCount),
  ]);
  return [summary(version), ...table([['COLUMN', 'TYPE', 'SHAPE', 'MISSING'], ...rows])];
}

function summary({ name, digest, rowCount, sizeBytes }: DatasetVersion): string {
  return `${name}  ${rowCount.toLocaleString('en-US')} rows  ${megabytes(sizeBytes)}  ${digest}`;
}
