import protobuf from 'protobufjs';
import { crc32c } from './crc32c.js';

/** An entry of a TensorBoard event file; the fields are those of `tensorflow.Event`. */
export type BoardEvent = { wallTimeSeconds: number } & (
  | { fileVersion: string }
  | { step: number; scalars: Record<string, number> }
  /** Points from this step on that stand before this entry do not count any more. */
  | { restartStep: number }
);

/** Field numbers and wire types of tensorboard/compat/proto/event.proto and summary.proto. */
const double = 1;
const varint = 0;
const lengthDelimited = 2;
const float = 5;
const key = (field: number, type: number) => (field << 3) | type;
const sessionStart = 1;

/** An entry as a record of a TFRecord file: length, masked CRC of the length, `tensorflow.Event`, masked CRC of that. */
export function toRecord(event: BoardEvent): Buffer {
  const data = encode(event);
  const record = Buffer.alloc(8 + 4 + data.length + 4);
  record.writeBigUInt64LE(BigInt(data.length), 0);
  record.writeUInt32LE(maskedCrc(record.subarray(0, 8)), 8);
  record.set(data, 12);
  record.writeUInt32LE(maskedCrc(data), 12 + data.length);
  return record;
}

function encode(event: BoardEvent): Uint8Array {
  const writer = protobuf.Writer.create();
  writer.uint32(key(1, double)).double(event.wallTimeSeconds);
  if ('fileVersion' in event) {
    writer.uint32(key(3, lengthDelimited)).string(event.fileVersion);
  } else if ('restartStep' in event) {
    writer.uint32(key(2, varint)).int64(event.restartStep);
    writer.uint32(key(7, lengthDelimited)).fork().uint32(key(1, varint)).int32(sessionStart).ldelim();
  } else {
    writer.uint32(key(2, varint)).int64(event.step);
    writer.uint32(key(5, lengthDelimited)).fork();
    for (const [tag, value] of Object.entries(event.scalars)) {
      writer.uint32(key(1, lengthDelimited)).fork();
      writer.uint32(key(1, lengthDelimited)).string(tag).uint32(key(2, float)).float(value).ldelim();
    }
    writer.ldelim();
  }
  return writer.finish();
}

/** A CRC of data that holds CRCs is weak; so TFRecord rotates and moves it. */
function maskedCrc(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
