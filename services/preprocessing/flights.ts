import type { EncodedMessage } from '../platform/arrow-messages.js';
import { invalidField } from '../platform/errors.js';
import { ResourceName } from '../platform/resource-name.js';
import { createArrowEncoder } from './arrow-encoder.js';
import { datasetName, datasetVersionName, versionNameOf } from './dataset.js';
import type { Preparation } from './preparation.js';
import { type SplitName, splitNames } from './split.js';
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

/** All there are: the datasets' versions, and the splits of pipelines. */
export function* listFlights({ datasets, pipelines }: Preparation): Generator<Flight> {
  for (const { name } of datasets.listDatasets()) {
    for (const version of datasets.listVersions(name)) {
      yield { kind: 'dataset', name: versionNameOf(version) };
    }
  }
  for (const { id: pipeline } of pipelines.list()) {
    for (const split of splitNames) {
      yield { kind: 'split', name: splitName.format({ pipeline, split }), pipeline, split };
    }
  }
}

export interface FlightDescription {
  /** Of the very rows: a dataset's latest version is named. */
  name: string;
  /** Bare flatbuffer. */
  schema: Uint8Array;
  rowCount: number;
  /** -1: not known before they are prepared. */
  sizeBytes: number;
}

export async function describeFlight(flight: Flight, preparation: Preparation): Promise<FlightDescription> {
  if (flight.kind === 'split') {
    const stored = preparation.pipelines.get(flight.pipeline);
    const encoder = await createArrowEncoder(tensorColumns(preparation.parsed(stored)));
    return {
      name: flight.name,
      schema: encoder.schema().header,
      rowCount: stored.rowCounts[flight.split],
      sizeBytes: -1,
    };
  }
  const version = preparation.datasets.resolve(flight.name, 'name');
  const table = await preparation.datasets.openTable(version);
  try {
    const schema = await table.schemaHeader();
    return { name: versionNameOf(version), schema, rowCount: version.rowCount, sizeBytes: version.sizeBytes };
  } finally {
    await table.close();
  }
}

/** The rows: schema first, then dictionaries and record batches. */
export async function* flightMessages(flight: Flight, preparation: Preparation): AsyncGenerator<EncodedMessage> {
  if (flight.kind === 'split') {
    yield* preparation.tensors(flight.pipeline, flight.split);
    return;
  }
  const table = await preparation.datasets.openTable(preparation.datasets.resolve(flight.name, 'ticket'));
  try {
    for await (const { header, body } of table.messages()) {
      yield { header, body: [body], bodyBytes: body.length };
    }
  } finally {
    await table.close();
  }
}
