import type { FlightMessage } from '../../proto/index.js';
import { everyRow, type FittedPipeline, type PreparedColumn } from '../pipeline/index.js';
import { invalidField, Violations } from '../platform/errors.js';
import { streamedBytesMax, withoutCompression } from './arrow-compression.js';
import { type ArrowEncoder, createArrowEncoder } from './arrow-encoder.js';
import { ArrowReader, type CheckedMessage, readSchema } from './arrow-reader.js';
import { type Column, fittedType, typeName } from './column.js';
import type { SentMessage } from './flight-put.js';
import { pipelineName } from './pipeline-store.js';
import type { Preparation } from './preparation.js';
import { numberChunk, rowsPerBatch, tensorColumns, transformRows } from './tensors.js';

/**
 * Transforms records as they come: Arrow batches of raw columns in, `features` out, with the pipeline that the descriptor
 * names. A batch comes back as one or, where its tensors are large, as several; what the client attached to it is on the last.
 */
export async function* exchange(
  preparation: Preparation,
  messages: AsyncIterable<SentMessage>,
): AsyncGenerator<FlightMessage> {
  let pipeline: FittedPipeline | null = null;
  let records: RecordTransform | null = null;
  for await (const { name, header, body, appMetadata } of messages) {
    pipeline ??= findPipeline(preparation, name);
    if (header.length === 0) {
      // A descriptor or metadata alone.
      continue;
    }
    if (records) {
      yield* records.transform(header, body, appMetadata);
    } else {
      const [features] = tensorColumns(pipeline);
      const encoder = await createArrowEncoder([features!]);
      records = new RecordTransform(pipeline, readSchema(header), encoder);
      yield { dataHeader: encoder.schema().header, dataBody: [] };
    }
  }
}

function findPipeline(preparation: Preparation, name: string | null): FittedPipeline {
  const field = 'flight_descriptor';
  if (name === null) {
    throw invalidField(field, `Expected the first message to have a \`${field}\` but it has none.`);
  }
  return preparation.parsed(preparation.pipelines.get(pipelineName.parse(name, field).pipeline));
}

class RecordTransform {
  readonly #reader: ArrowReader;
  /** Places of the pipeline's columns. */
  readonly #columns: number[];

  constructor(
    private readonly pipeline: FittedPipeline,
    columns: Column[],
    private readonly encoder: ArrowEncoder,
  ) {
    this.#reader = new ArrowReader(columns);
    this.#columns = matchColumns(pipeline, columns);
  }

  async *transform(header: Uint8Array, body: Uint8Array, appMetadata: Uint8Array): AsyncGenerator<FlightMessage> {
    const firstRow = this.#reader.rowCount;
    const plain = await withoutCompression({ header, body }, streamedBytesMax);
    const message = this.#reader.read(plain.header, plain.body);
    if (message.kind === 'batch') {
      const answers: FlightMessage[] = [];
      for await (const answer of this.#batches(message, firstRow)) {
        answers.push(answer);
      }
      for (const [i, answer] of answers.entries()) {
        yield i === answers.length - 1 ? { ...answer, appMetadata } : answer;
      }
    }
  }

  async *#batches(
    { length, chunks }: CheckedMessage & { kind: 'batch' },
    firstRow: number,
  ): AsyncGenerator<FlightMessage> {
    const used = this.#columns.map((column) => chunks[column]!);
    const rows = everyRow(length);
    const rowsMax = rowsPerBatch(this.pipeline);
    for (let from = 0; from < Math.max(length, 1); from += rowsMax) {
      const part = rows.subarray(from, from + rowsMax);
      const features = await transformRows(this.pipeline, used, part, firstRow);
      const chunk = numberChunk(features, part.length, this.pipeline.featureCount);
      for (const { header, body } of this.encoder.batch(part.length, [chunk])) {
        yield { dataHeader: header, dataBody: body };
      }
    }
  }
}

/** Places of the pipeline's columns among those that came; others are let be. Every one that is missing or different is named. */
function matchColumns(pipeline: FittedPipeline, columns: readonly Column[]): number[] {
  const violations = new Violations();
  const places = pipeline.columns.map((wanted) => {
    const index = columns.findIndex(({ name }) => name === wanted.column);
    const found = columns[index];
    // A column that is encoded in several ways is wrong but once.
    if ((!found || !fits(wanted, found)) && !violations.has(wanted.column)) {
      const received = found ? `it is ${typeName(found.type)}` : 'there is none of that name';
      const message = `Expected column ${JSON.stringify(wanted.column)} to be ${expectedType(wanted)} but ${received}.`;
      violations.add(wanted.column, message);
    }
    return index;
  });
  violations.throwIfAny();
  return places;
}

function fits({ type, width }: PreparedColumn, { type: given }: Column): boolean {
  return fittedType(given) === type && (given.kind === 'list' ? given.width : null) === width;
}

function expectedType({ type, width }: PreparedColumn): string {
  switch (type) {
    case 'text':
      return 'Utf8, LargeUtf8 or a dictionary of text';
    case 'time':
      return 'Date32, Date64 or Timestamp';
    case 'binary':
      return 'Binary, LargeBinary or FixedSizeBinary';
    case 'boolean':
      return typeName({ kind: type });
    default:
      return typeName(width === null ? { kind: 'number', type } : { kind: 'list', type, width });
  }
}
