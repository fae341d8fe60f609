import { invalidField } from '../platform/errors.js';
import { datasetName, versionNameOf } from './dataset.js';
import { parseFlightRequest } from './flight-request.js';
import { describeFlight, type FlightDescription } from './flights.js';
import { importDataset } from './import/import-dataset.js';
import { parseMissingValues } from './import/missing-values.js';
import type { Preparation } from './preparation.js';
import { wholeTable } from './row-range.js';
import type { TrackedImport, TrackedImports } from './tracked-imports.js';

/** A flight that is there, or the import that makes it. */
export type PollAnswer = { complete: FlightDescription } | { running: TrackedImport };

/**
 * How far a flight is. `text` is what `parseFlightRequest` reads, and beside it `imports/ID`, or `imports/ID/after/N`, which
 * waits until there is more to tell than the N-th time; or a JSON object `{"import": {"dataset", "paths"}}`, which begins one.
 */
export async function pollFlight(
  text: string,
  preparation: Preparation,
  imports: TrackedImports,
  signal: AbortSignal,
): Promise<PollAnswer> {
  const tracked = await findImport(text, preparation, imports, signal);
  if (!tracked) {
    return { complete: await describeFlight(parseFlightRequest(text, 'descriptor'), preparation, 'descriptor') };
  }
  if (!tracked.version) {
    return { running: tracked };
  }
  const flight = { kind: 'dataset', name: versionNameOf(tracked.version) } as const;
  return { complete: await describeFlight({ flight, columns: null, rows: wholeTable }, preparation, 'descriptor') };
}

/** Null: no import is meant. */
async function findImport(
  text: string,
  preparation: Preparation,
  imports: TrackedImports,
  signal: AbortSignal,
): Promise<TrackedImport | null> {
  const begun = parseImport(text);
  if (begun) {
    const request = { ...begun, format: null, types: new Map(), missingValues: parseMissingValues([]) };
    return imports.start(begun.dataset, (stop) => importDataset(preparation.datasets, imports.access, request, stop));
  }
  const tracked = importOf(text, imports);
  if (tracked) {
    const [, , after, sequence] = text.split('/');
    await tracked.news(after === 'after' ? Number(sequence) : -1, signal);
    return tracked;
  }
  const dataset = datasetName.match(text)?.dataset;
  return dataset === undefined ? null : imports.runningInto(dataset);
}

/** The import that a flight stands for; null: it stands for rows that are there. */
export function importOf(text: string, imports: TrackedImports): TrackedImport | null {
  const [head, id] = text.split('/');
  return head === 'imports' && id !== undefined ? imports.get(id) : null;
}

/** Null: the text is no command to import. */
function parseImport(text: string): { dataset: string; paths: string[] } | null {
  if (!/^\{\s*"import"/.test(text)) {
    return null;
  }
  const field = 'descriptor.import';
  let given: { import?: { dataset?: unknown; paths?: unknown } };
  try {
    given = JSON.parse(text);
  } catch (error) {
    throw invalidField(field, `Expected \`${field}\` to be JSON but it cannot be read: ${(error as Error).message}.`);
  }
  const { dataset, paths } = given.import ?? {};
  if (!Array.isArray(paths) || !paths.every((path) => typeof path === 'string')) {
    const received = JSON.stringify(paths);
    throw invalidField(`${field}.paths`, `Expected \`${field}.paths\` to be a list of texts but received ${received}.`);
  }
  return { dataset: datasetName.parse(String(dataset), `${field}.dataset`).dataset, paths };
}
