import { isUtf8 } from 'node:buffer';
import type { EncodedMessage } from '../platform/arrow-messages.js';
import { invalidField } from '../platform/errors.js';
import { ResourceName } from '../platform/resource-name.js';
import { createArrowEncoder } from './arrow-encoder.js';
import { datasetName, datasetVersionName, versionNameOf } from './dataset.js';
import type { FlightRequest } from './flight-request.js';
import type { Preparation } from './preparation.js';
import { rowsWithin } from './row-range.js';
import { type SplitName, splitNames } from './split.js';
import { findColumns, selectedSchema, selectTable } from './table-selection.js';
import { tensorColumns } from './tensors.js';

/** Something whose rows can be fetched. */
export type Flight =
  | { kind: 'dataset'; name: string }
  | { kind: 'split'; name: string; pipeline: string; split: SplitName };

const splitName = new ResourceName('pipelines/{pipeline}/splits/{split}');

/** @param field where the name stood */
export function resolveFlight(name: string, field: string): Flight {
  if (datasetName.match(name) || datasetVersionName.match(name)) {
    return { kind: 'dataset', name };
  }
  const matched = splitName.match(name);
  const split = splitNames.find((one) => one === matched?.split);
  if (!matched || !split) {
    const expected = 'datasets/NAME, datasets/NAME/versions/N or pipelines/ID/splits/train, validation or test';
    throw invalidField(field, `Expected \`${field}\` to be ${expected} but received ${JSON.stringify(name)}.`);
  }
  return { kind: 'split', name, pipeline: matched.pipeline, split };
}

/** All there are: the datasets' versions, and the splits of pipelines; of these, whose names `matches` allows. */
export function* listFlights(
  { datasets, pipelines }: Preparation,
  matches: (name: string) => boolean,
): Generator<Flight> {
  for (const { name: dataset } of datasets.listDatasets()) {
    for (const version of datasets.listVersions(dataset)) {
      const name = versionNameOf(version);
      if (matches(name)) {
        yield { kind: 'dataset', name };
      }
    }
  }
  for (const { id: pipeline } of pipelines.list()) {
    for (const split of splitNames) {
      const name = splitName.format({ pipeline, split });
      if (matches(name)) {
        yield { kind: 'split', name, pipeline, split };
      }
    }
  }
}

const criteriaCharsMax = 1_000;

/**
 * Reads the criteria of a list: the segments that names begin with, `*` for any, for example `datasets/mnist`. Empty: all names.
 */
export function parseCriteria(expression: Uint8Array): (name: string) => boolean {
  if (!isUtf8(expression) || expression.length > criteriaCharsMax) {
    const received = isUtf8(expression) ? `${expression.length} bytes` : 'something else';
    const message = `Expected \`expression\` to be UTF-8 of at most ${criteriaCharsMax} bytes but received ${received}.`;
    throw invalidField('expression', message);
  }
  if (expression.length === 0) {
    return () => true;
  }
  const wanted = Buffer.from(expression).toString('utf8').split('/');
  return (name) => {
    const segments = name.split('/');
    return wanted.every((segment, i) => i < segments.length && (segment === '*' || segment === segments[i]));
  };
}

export interface FlightDescription {
  /** What was asked for; a dataset's latest version is named. */
  request: FlightRequest;
  /** Bare flatbuffer. */
  schema: Uint8Array;
  rowCount: number;
  /** -1: not known before they are read or prepared. */
  sizeBytes: number;
}

/** @param field where the request stood */
export async function describeFlight(
  request: FlightRequest,
  preparation: Preparation,
  field: string,
): Promise<FlightDescription> {
  const { flight, columns: names, rows } = request;
  if (flight.kind === 'split') {
    const stored = preparation.pipelines.get(flight.pipeline);
    const columns = tensorColumns(preparation.parsed(stored), stored.sampleWeight);
    const chosen = findColumns(names, columns, `${field}.columns`).map((index) => columns[index]!);
    const encoder = await createArrowEncoder(chosen);
    const rowCount = rowsWithin(stored.rowCounts[flight.split], rows);
    return { request, schema: encoder.schema().header, rowCount, sizeBytes: -1 };
  }
  const version = preparation.datasets.resolve(flight.name, field);
  const table = await preparation.datasets.openTable(version);
  try {
    const schema = await selectedSchema(table, findColumns(names, version.columns, `${field}.columns`));
    const rowCount = rowsWithin(version.rowCount, rows);
    const isWhole = names === null && rowCount === version.rowCount;
    return {
      request: { ...request, flight: { kind: 'dataset', name: versionNameOf(version) } },
      schema,
      rowCount,
      sizeBytes: isWhole ? version.sizeBytes : -1,
    };
  } finally {
    await table.close();
  }
}

/** The rows: schema first, then dictionaries and record batches. */
export async function* flightMessages(
  { flight, columns: names, rows }: FlightRequest,
  preparation: Preparation,
): AsyncGenerator<EncodedMessage> {
  const field = 'ticket';
  if (flight.kind === 'split') {
    const stored = preparation.pipelines.get(flight.pipeline);
    const columns = tensorColumns(preparation.parsed(stored), stored.sampleWeight);
    yield* preparation.tensors(flight.pipeline, flight.split, {
      columns: findColumns(names, columns, `${field}.columns`),
      rows,
    });
    return;
  }
  const version = preparation.datasets.resolve(flight.name, field);
  const columns = findColumns(names, version.columns, `${field}.columns`);
  const table = await preparation.datasets.openTable(version);
  try {
    yield* selectTable(table, columns, rows);
  } finally {
    await table.close();
  }
}
