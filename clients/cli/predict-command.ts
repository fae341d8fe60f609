import { readFile } from 'node:fs/promises';
import type { Prediction__Output as Prediction } from '../../proto/gen/millrace/v1/Prediction.js';
import type { Record as RawRecord } from '../../proto/gen/millrace/v1/Record.js';
import type { Value } from '../../proto/gen/millrace/v1/Value.js';
import type { Millrace } from '../sdk/index.js';
import { CommandError, type CommonOptions, show } from './output.js';
import { fullName } from './resource-name.js';

interface PredictOptions extends CommonOptions {
  record?: string;
  file?: string;
  column?: string;
}

/** @param model NAME, NAME:VERSION or NAME:ALIAS */
export async function predict(millrace: Millrace, model: string, options: PredictOptions): Promise<void> {
  if (options.record === undefined && options.file === undefined) {
    throw new CommandError('Give --record JSON, --file PATH or both, or one of --records FILE and --dataset NAME.');
  }
  if (options.column !== undefined && options.file === undefined) {
    throw new CommandError('--column says what --file is for: give both, or neither.');
  }
  const name = versionedName(model);
  const record = options.record === undefined ? { values: {} } : parseRecord(options.record);
  const file = options.file === undefined ? {} : await readFileValue(millrace, name, record, options);
  const values = { ...record.values, ...file };
  const response = await millrace.prediction.predict({ model: name, records: [{ values }] });
  show(options, response, [response.modelVersion, ...response.predictions.flatMap(describe)]);
}

export function versionedName(model: string): string {
  const parts = /^([^:]+)(?::([^:]+))?$/.exec(model);
  if (!parts) {
    throw new CommandError(
      `Expected MODEL to be NAME, NAME:VERSION or NAME:ALIAS but received ${JSON.stringify(model)}.`,
    );
  }
  const name = fullName('models', parts[1]!);
  const selector = parts[2];
  if (selector === undefined) {
    return name;
  }
  return `${name}/${/^\d+$/.test(selector) ? 'versions' : 'aliases'}/${selector}`;
}

/** A file is the value of the one feature column that the record does not have, or of the one that is named. */
async function readFileValue(
  millrace: Millrace,
  name: string,
  { values = {} }: RawRecord,
  { file, column }: PredictOptions,
): Promise<{ [column: string]: Value }> {
  const content = await readFile(file!);
  const open = column === undefined ? await openColumns(millrace, name, Object.keys(values)) : [column];
  if (open.length !== 1) {
    const which = open.length === 0 ? 'no column' : `${open.length} columns (${open.join(', ')})`;
    throw new CommandError(`${name} reads ${which} that --record does not give: name the file's with --column.`);
  }
  if (Object.hasOwn(values, open[0]!)) {
    throw new CommandError(`Both --record and --file give ${open[0]}: leave one out.`);
  }
  return { [open[0]!]: { content } };
}

/** Columns that a model reads, but for those that are given. */
async function openColumns(millrace: Millrace, name: string, given: readonly string[]): Promise<string[]> {
  const version = await millrace.registry.getModelVersion({ name: await versionName(millrace, name) });
  const columns = new Set(version.lineage?.spec?.pipeline?.columns?.map(({ column }) => column));
  return [...columns].filter((column) => !given.includes(column));
}

/** The version that answers when none is asked for. */
async function versionName(millrace: Millrace, name: string): Promise<string> {
  if (name.split('/').length > 2) {
    return name;
  }
  const { aliases, latestVersion } = await millrace.registry.getModel({ name });
  return `${name}/versions/${aliases.champion ?? latestVersion}`;
}

/** `{"age": 31, "job": "baker", "pixels": [0, 1], "income": null}` as raw values. */
export function parseRecord(json: string, source = '--record'): RawRecord {
  let plain: unknown;
  try {
    plain = JSON.parse(json);
  } catch (error) {
    throw new CommandError(`${source} is not JSON: ${(error as Error).message}`);
  }
  if (typeof plain !== 'object' || plain === null || Array.isArray(plain)) {
    throw new CommandError(`Expected ${source} to be a JSON object of values by column name.`);
  }
  const values = Object.entries(plain).map(([key, value]) => [key, toValue(key, value, source)]);
  return { values: Object.fromEntries(values) };
}

function toValue(key: string, value: unknown, source: string): Value {
  if (value === null) {
    return {};
  }
  if (typeof value === 'number') {
    return { number: value };
  }
  if (typeof value === 'string') {
    return { text: value };
  }
  if (typeof value === 'boolean') {
    return { boolean: value };
  }
  if (Array.isArray(value) && value.every((item) => typeof item === 'number')) {
    return { numbers: { values: value } };
  }
  throw new CommandError(
    `Expected \`${key}\` in ${source} to be null, a number, text, true, false or a list of numbers.`,
  );
}

function describe(prediction: Prediction): string[] {
  if (prediction.number !== undefined) {
    return [String(prediction.number)];
  }
  if (prediction.numbers.length > 0) {
    return prediction.numbers.map(({ name, value }) => `${name} ${value}`);
  }
  const best = prediction.scores
    .slice(0, 3)
    .map(({ label, probability }) => `${label} ${(probability * 100).toFixed(2)} %`);
  return [`${prediction.label || prediction.labels.join(', ') || 'no class'}  (${best.join(', ')})`];
}
