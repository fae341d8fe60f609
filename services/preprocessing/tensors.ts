import {
  type ColumnChunk,
  checkColumns,
  type FittedPipeline,
  isCrossFitted,
  type NumberChunk,
  type PreparedColumn,
  targetWidth,
  transformColumns,
  UnusableValueError,
} from '../pipeline/index.js';
import type { EncodedMessage } from '../platform/arrow-messages.js';
import { ServiceError } from '../platform/errors.js';
import { createArrowEncoder } from './arrow-encoder.js';
import { BorrowedMemory } from './buffer-pool.js';
import type { Column } from './column.js';
import { numbersOf } from './column-fit.js';
import { where } from './label.js';
import { overlap, type RowRange, wholeTable } from './row-range.js';
import { WeightReader } from './sample-weights.js';
import { rowsInSplit, type SplitAssignment, type SplitName, splitNames } from './split.js';
import type { Allocate, StoredBatch, StoredTable } from './stored-table.js';
import { TargetReader } from './target-reader.js';
import { workAhead } from './work-ahead.js';

const batchBytesMax = 8 * 1024 * 1024;
/** Transformed while the one before them is sent. */
const partsAhead = 2;

/** Columns of a split's tensors: `features` and `label`, and `weight` where rows have weights. */
export function tensorColumns(pipeline: FittedPipeline, sampleWeight = ''): Column[] {
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
    ...(sampleWeight === '' ? [] : [weightColumn]),
  ];
}

const weightColumn: Column = { name: 'weight', type: { kind: 'number', type: 'float32' }, shape: [] };

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
  sampleWeight = '',
): AsyncGenerator<EncodedMessage> {
  const columns = tensorColumns(pipeline, sampleWeight);
  const encoder = await createArrowEncoder(part.columns.map((index) => columns[index]!));
  yield encoder.schema();
  const targets = new TargetReader(pipeline.label, table);
  const weightReader = sampleWeight === '' ? null : new WeightReader(sampleWeight, table);
  const isTraining = split === 'train';
  const parts = tensorParts(pipeline, table, assignment, split, part.rows);
  const prepare = async ({ batch, rows, chunks, release }: TablePart) => {
    const numbers = isTraining && isCrossFitted(pipeline) ? numbersOf(rows, batch) : null;
    const memory = new BorrowedMemory();
    const features = await transformRows(pipeline, await chunks, rows, batch.firstRow, numbers, memory.allocate);
    if (memory.isUsed) {
      release();
    } else {
      // They lie in the chunks.
      memory.alsoRelease(release);
    }
    const targetsOf = await targets.read(batch);
    const weightsOf = await weightReader?.read(batch);
    return { length: rows.length, features, targets: targetsOf(rows), weights: weightsOf?.(rows), memory };
  };
  for await (const { length, features, targets: labels, weights, memory } of workAhead(parts, partsAhead, prepare)) {
    const tensors = [
      numberChunk(features, length, pipeline.featureCount),
      numberChunk(labels, length, targetWidth(pipeline.label) ?? 1),
      ...(weights ? [numberChunk(weights, length, 1)] : []),
    ];
    const messages = encoder.batch(
      length,
      part.columns.map((index) => tensors[index]!),
    );
    for (const [i, message] of messages.entries()) {
      yield i === messages.length - 1 ? { ...message, release: memory.release } : message;
    }
  }
}

/** Rows of a batch that are transformed together; `chunks`: the columns that a pipeline reads, in its order. */
interface TablePart {
  batch: StoredBatch;
  rows: Int32Array;
  chunks: Promise<ColumnChunk[]>;
  /** Says that the chunks are used up. */
  release: () => void;
}

/** Those rows of a split that are wanted. A batch is read when its first part is asked for. */
function* tensorParts(
  pipeline: FittedPipeline,
  table: StoredTable,
  assignment: SplitAssignment,
  split: SplitName,
  range: RowRange,
): Generator<TablePart> {
  const rowsMax = rowsPerBatch(pipeline);
  let firstRow = 0;
  for (const batch of table.batches) {
    const rows = rowsInSplit(assignment, split, batch);
    const wanted = overlap(range, { firstRow, length: rows.length });
    firstRow += rows.length;
    if (wanted) {
      const memory = new BorrowedMemory();
      const chunks = readColumns(pipeline, table, batch, memory.allocate);
      let partsLeft = Math.ceil((wanted.to - wanted.from) / rowsMax);
      const release = () => {
        partsLeft--;
        if (partsLeft === 0) {
          memory.release();
        }
      };
      for (let from = wanted.from; from < wanted.to; from += rowsMax) {
        const part = rows.subarray(from, Math.min(wanted.to, from + rowsMax));
        yield { batch, rows: part, chunks, release };
      }
    }
  }
}

/**
 * Features of some rows of a batch. `rows`: indices into the chunks.
 * @param firstRow rows of the table before the batch
 * @param trainingNumbers and `allocate` as of `transformColumns`
 */
export async function transformRows(
  pipeline: FittedPipeline,
  chunks: readonly ColumnChunk[],
  rows: Int32Array,
  firstRow: number,
  trainingNumbers: Int32Array | null = null,
  allocate?: Allocate,
): Promise<Uint8Array | Float32Array> {
  try {
    return await transformColumns(pipeline, chunks, rows, trainingNumbers, allocate);
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

/**
 * What cannot be transformed is refused when a pipeline is fitted, not in training.
 * @param unchecked columns of the pipeline of which training rows might be refused
 */
export async function checkTransformable(
  pipeline: FittedPipeline,
  unchecked: PreparedColumn[],
  { table, assignment, signal }: { table: StoredTable; assignment: SplitAssignment; signal: AbortSignal },
): Promise<void> {
  if (pipeline.featureType === 'uint8' && !pipeline.columns[0]!.decoding) {
    // Bytes stay what they are, and fitting has looked for missing ones.
    return;
  }
  for (const split of splitNames) {
    const checked = split === 'train' ? { ...pipeline, columns: unchecked } : pipeline;
    if (checked.columns.length === 0) {
      continue;
    }
    const check = async ({ batch, rows, chunks, release }: TablePart) => {
      const numbers = split === 'train' && isCrossFitted(pipeline) ? numbersOf(rows, batch) : null;
      try {
        await checkColumns(checked, await chunks, rows, numbers);
      } catch (error) {
        throw withPlace(error, rows, batch.firstRow);
      }
      release();
    };
    const parts = tensorParts(checked, table, assignment, split, wholeTable);
    for await (const _ of workAhead(parts, partsAhead, check)) {
      signal.throwIfAborted();
    }
  }
}

/** The columns of a batch that a pipeline reads, in its order. */
function readColumns(
  { columns }: FittedPipeline,
  table: StoredTable,
  batch: StoredBatch,
  allocate: Allocate,
): Promise<ColumnChunk[]> {
  const indexOf = (name: string) => table.columns.findIndex((column) => column.name === name);
  return table.readColumns(
    batch,
    columns.map(({ column }) => indexOf(column)),
    allocate,
  );
}

export function numberChunk(values: NumberChunk['values'], length: number, width: number): NumberChunk {
  return { kind: 'number', length, width, values, validity: null };
}
