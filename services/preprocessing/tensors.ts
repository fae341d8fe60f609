import {
  type ColumnChunk,
  checkColumns,
  type FittedPipeline,
  type NumberChunk,
  targetWidth,
  transformColumns,
  UnusableValueError,
} from '../pipeline/index.js';
import type { EncodedMessage } from '../platform/arrow-messages.js';
import { ServiceError } from '../platform/errors.js';
import { type ArrowEncoder, createArrowEncoder } from './arrow-encoder.js';
import type { Column } from './column.js';
import { numbersOf } from './column-fit.js';
import { where } from './label.js';
import { overlap, type RowRange, wholeTable } from './row-range.js';
import { rowsInSplit, type SplitAssignment, type SplitName, splitNames } from './split.js';
import type { StoredBatch, StoredTable } from './stored-table.js';
import { TargetReader } from './target-reader.js';

const batchBytesMax = 8 * 1024 * 1024;

/** Columns of a split's tensors: `features` and `label`. */
export function tensorColumns(pipeline: FittedPipeline): Column[] {
  const { featureCount: width, featureType, label } = pipeline;
  const type = label.kind === 'classes' ? 'int32' : 'float32';
  const targets = targetWidth(label);
  return [
    { name: 'features', type: { kind: 'list', type: featureType, width }, shape: [] },
    {
      name: 'label',
      type: targets === null ? { kind: 'number', type } : { kind: 'list', type, width: targets },
      shape: [],
    },
  ];
}

/** So many rows of tensors make a batch of at most about 8 MB. */
export function rowsPerBatch({ featureCount, featureType, label }: FittedPipeline): number {
  const rowBytes = featureCount * (featureType === 'uint8' ? 1 : 4) + 4 * (targetWidth(label) ?? 1);
  return Math.max(1, Math.floor(batchBytesMax / rowBytes));
}

/** Which of the `tensorColumns`, by place, and which rows of the split. */
export interface TensorPart {
  columns: readonly number[];
  rows: RowRange;
}

const everyTensor: TensorPart = { columns: [0, 1], rows: wholeTable };

/** Prepared rows of one split in their order, as Arrow messages: the schema, then batches of at most about 8 MB. */
export async function* encodeTensors(
  pipeline: FittedPipeline,
  table: StoredTable,
  assignment: SplitAssignment,
  split: SplitName,
  part = everyTensor,
): AsyncGenerator<EncodedMessage> {
  const columns = tensorColumns(pipeline);
  const encoder = await createArrowEncoder(part.columns.map((index) => columns[index]!));
  yield encoder.schema();
  const rowsMax = rowsPerBatch(pipeline);
  const source = new SplitReader(pipeline, table, split === 'train', part.columns);
  let firstRow = 0;
  for (const batch of table.batches) {
    const rows = rowsInSplit(assignment, split, batch);
    const wanted = overlap(part.rows, { firstRow, length: rows.length });
    if (wanted) {
      yield* source.encode(batch, rows.subarray(wanted.from, wanted.to), rowsMax, encoder);
    }
    firstRow += rows.length;
  }
}

class SplitReader {
  readonly #targets: TargetReader;

  constructor(
    private readonly pipeline: FittedPipeline,
    private readonly table: StoredTable,
    private readonly isTraining: boolean,
    private readonly wanted: readonly number[],
  ) {
    this.#targets = new TargetReader(pipeline.label, table);
  }

  async *encode(
    batch: StoredBatch,
    rows: Int32Array,
    rowsMax: number,
    encoder: ArrowEncoder,
  ): AsyncGenerator<EncodedMessage> {
    const chunks = await readColumns(this.pipeline, this.table, batch);
    const targetsOf = await this.#targets.read(batch);
    for (let from = 0; from < rows.length; from += rowsMax) {
      const part = rows.subarray(from, from + rowsMax);
      const numbers = this.isTraining ? numbersOf(part, batch) : null;
      const features = await transformRows(this.pipeline, chunks, part, batch.firstRow, numbers);
      const { length } = part;
      const { featureCount, label } = this.pipeline;
      const tensors = [
        numberChunk(features, length, featureCount),
        numberChunk(targetsOf(part), length, targetWidth(label) ?? 1),
      ];
      yield* encoder.batch(
        length,
        this.wanted.map((index) => tensors[index]!),
      );
    }
  }
}

/**
 * Features of some rows of a batch. `rows`: indices into the chunks.
 * @param firstRow rows of the table before the batch
 * @param trainingNumbers as of `transformColumns`
 */
export async function transformRows(
  pipeline: FittedPipeline,
  chunks: readonly ColumnChunk[],
  rows: Int32Array,
  firstRow: number,
  trainingNumbers: Int32Array | null = null,
): Promise<Uint8Array | Float32Array> {
  try {
    return await transformColumns(pipeline, chunks, rows, trainingNumbers);
  } catch (error) {
    throw withPlace(error, rows, firstRow);
  }
}

function withPlace(error: unknown, rows: Int32Array, firstRow: number): unknown {
  if (!(error instanceof UnusableValueError)) {
    return error;
  }
  const place = where(error.column, firstRow + rows[error.row]!);
  const message = `The pipeline cannot transform every row: ${place} is ${error.problem}.`;
  return new ServiceError('INVALID_ARGUMENT', 'UNUSABLE_VALUE', message);
}

/** What cannot be transformed is refused when a pipeline is fitted, not in training. */
export async function checkTransformable(
  pipeline: FittedPipeline,
  table: StoredTable,
  assignment: SplitAssignment,
  signal: AbortSignal,
): Promise<void> {
  if (pipeline.featureType === 'uint8' && !pipeline.columns[0]!.decoding) {
    // Bytes stay what they are, and fitting has looked for missing ones.
    return;
  }
  const rowsMax = rowsPerBatch(pipeline);
  for (const split of splitNames) {
    for (const batch of table.batches) {
      const rows = rowsInSplit(assignment, split, batch);
      if (rows.length === 0) {
        continue;
      }
      const chunks = await readColumns(pipeline, table, batch);
      for (let from = 0; from < rows.length; from += rowsMax) {
        signal.throwIfAborted();
        const part = rows.subarray(from, from + rowsMax);
        const numbers = split === 'train' ? numbersOf(part, batch) : null;
        try {
          await checkColumns(pipeline, chunks, part, numbers);
        } catch (error) {
          throw withPlace(error, part, batch.firstRow);
        }
      }
    }
  }
}

/** The columns of a batch that a pipeline reads, in its order. */
function readColumns({ columns }: FittedPipeline, table: StoredTable, batch: StoredBatch): Promise<ColumnChunk[]> {
  const indexOf = (name: string) => table.columns.findIndex((column) => column.name === name);
  return table.readColumns(
    batch,
    columns.map(({ column }) => indexOf(column)),
  );
}

export function numberChunk(values: NumberChunk['values'], length: number, width: number): NumberChunk {
  return { kind: 'number', length, width, values, validity: null };
}
