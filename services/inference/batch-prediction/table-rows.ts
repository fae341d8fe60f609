import type { Data, DataType, RecordBatch, Vector } from 'apache-arrow';
import {
  type FittedPipeline,
  type numberArrays,
  type RawRecord,
  type RawValue,
  toMilliseconds,
} from '../../pipeline/index.js';
import { type Arrow, encapsulate } from '../../platform/arrow-messages.js';
import { ServiceError } from '../../platform/errors.js';
import type { ReceivedMessage } from '../preprocessing-client.js';

/** Record batches out of the messages that Flight brings, one at a time. */
export async function* readBatches(
  arrow: Arrow,
  messages: AsyncIterable<ReceivedMessage>,
): AsyncGenerator<RecordBatch> {
  const reader = await arrow.RecordBatchReader.from(toStream(messages));
  for await (const batch of reader) {
    yield batch;
  }
}

async function* toStream(messages: AsyncIterable<ReceivedMessage>): AsyncGenerator<Uint8Array> {
  for await (const { header, body } of messages) {
    yield encapsulate(header);
    if (body.length > 0) {
      yield body;
    }
  }
}

type ReadValue = (row: number) => RawValue;

/** Reads rows of a batch as the records that `Predict` would be sent: exactly the columns that the pipeline reads. */
export class RowReader {
  readonly #columns: [name: string, read: ReadValue][];

  /** @param firstRow rows of the dataset before this batch */
  constructor(
    arrow: Arrow,
    pipeline: FittedPipeline,
    batch: RecordBatch,
    readonly firstRow: number,
  ) {
    this.#columns = pipeline.inputs.map(({ column, type }) => {
      const vector = batch.getChild(column)!;
      if (type === 'time') {
        return [column, timeReader(arrow, column, vector)];
      }
      if (type !== 'binary') {
        refuseUnreadable(arrow, column, vector.type);
      }
      return [column, valueReader(arrow, vector, type === 'uint8')];
    });
  }

  /** @throws ServiceError naming the row and the column */
  read(row: number): RawRecord {
    const record: Record<string, RawValue> = Object.create(null);
    for (const [name, read] of this.#columns) {
      const value = read(row);
      if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)) {
        const field = `rows[${this.firstRow + row}].values[${JSON.stringify(name)}]`;
        const message = `Expected \`${field}\` to be at most 2^53, which a number holds exactly, but received ${value}.`;
        throw new ServiceError('INVALID_ARGUMENT', 'INVALID_FIELD', message);
      }
      record[name] = value;
    }
    return record;
  }
}

/** Of a point in time or a decimal Arrow would give some number, which is not what the model was trained on. */
function refuseUnreadable({ DataType }: Arrow, column: string, type: DataType): void {
  const item: DataType = DataType.isFixedSizeList(type) ? type.children[0]!.type : type;
  const isRead =
    DataType.isInt(item) ||
    DataType.isFloat(item) ||
    DataType.isBool(item) ||
    DataType.isUtf8(item) ||
    DataType.isLargeUtf8(item) ||
    DataType.isDictionary(item);
  if (!isRead) {
    const message = `Expected column ${JSON.stringify(column)} to hold numbers, truth values, texts or lists of a fixed number of numbers, which a model reads, but it is ${type}.`;
    throw new ServiceError('INVALID_ARGUMENT', 'UNSUPPORTED_TYPE', message);
  }
}

type ArrowTimeUnit = 'second' | 'millisecond' | 'microsecond' | 'nanosecond';

/** Points in time as whole milliseconds, out of the values themselves: Arrow's own numbers of nanoseconds are rounded. */
function timeReader({ DataType, DateUnit, TimeUnit }: Arrow, column: string, { type, data }: Vector): ReadValue {
  if (!DataType.isTimestamp(type) && !DataType.isDate(type)) {
    const message = `Expected column ${JSON.stringify(column)} to hold points in time, which the model reads, but it is ${type}.`;
    throw new ServiceError('INVALID_ARGUMENT', 'UNSUPPORTED_TYPE', message);
  }
  const units = DataType.isTimestamp(type) ? TimeUnit : DateUnit;
  const unit = units[type.unit]!.toLowerCase() as 'day' | ArrowTimeUnit;
  const [chunk] = data as readonly Data[];
  const values = chunk!.values as Int32Array | BigInt64Array;
  return (row) => (chunk!.getValid(row) ? toMilliseconds(values[row]!, unit) : null);
}

/** @param asBytes lists of bytes are passed on as they are */
function valueReader(arrow: Arrow, vector: Vector, asBytes: boolean): ReadValue {
  const { DataType } = arrow;
  const type: DataType = vector.type;
  if (DataType.isFixedSizeList(type)) {
    return listReader(vector.data[0]! as Data, type.listSize, asBytes);
  }
  if (DataType.isInt(type) && type.bitWidth === 64) {
    return (row) => {
      const value = vector.get(row) as bigint | null;
      return value === null ? null : Number(value);
    };
  }
  return (row) => vector.get(row) as RawValue;
}

type Numbers = InstanceType<(typeof numberArrays)[keyof typeof numberArrays]>;

function listReader(list: Data, width: number, asBytes: boolean): ReadValue {
  const values = list.children[0]!.values as Numbers;
  return (row) => {
    if (!list.getValid(row)) {
      return null;
    }
    const items = values.subarray(row * width, (row + 1) * width);
    return asBytes && items instanceof Uint8Array ? items : Array.from(items as ArrayLike<number | bigint>, Number);
  };
}
