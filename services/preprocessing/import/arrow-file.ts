import type { FileHandle } from 'node:fs/promises';
import { ServiceError } from '../../platform/errors.js';
import { type ArrowMessage, decodeMessage } from '../arrow-message.js';
import { decodeSchema } from '../arrow-schema.js';
import type { Column } from '../column.js';
import { FlatbufferError, FlatTable } from '../flatbuffer.js';
import { type ImportFile, invalidFile, openFile } from './import-file.js';

/** One message of a file: its bare flatbuffer and what comes after it. */
export interface FileMessage {
  message: ArrowMessage;
  header: Uint8Array;
  body: Uint8Array;
  /** Where it begins in the file. */
  at: number;
  /** Of the file, with what stands around the message. */
  bytes: number;
}

const magic = 'ARROW1';
/** Magic and padding before the messages of the file format. */
const fileStart = 8;
/** Length of the footer and magic after it. */
const fileEnd = 10;
const headerBytesMax = 16 * 1024 * 1024;
/** Of a batch, compressed or not. */
export const bodyBytesMax = 512 * 1024 * 1024;

/**
 * The messages of an Arrow file in either format, in the order in which they stand. What is cut off is refused: the stream must have its end mark, and the file format its footer too, which
 * tells how many batches there are.
 */
export async function* readMessages({ path: file, sizeBytes }: ImportFile): AsyncGenerator<FileMessage> {
  const handle = await openFile(file);
  try {
    const hasFooter = (await read(handle, 0, Math.min(magic.length, sizeBytes))).toString('latin1') === magic;
    const footer = hasFooter ? await readFooter(handle, file, sizeBytes) : null;
    const end = footer?.start ?? sizeBytes;
    let messages = 0;
    for (let at = hasFooter ? fileStart : 0; ; ) {
      const size = at + 8 <= end ? await readPrefix(handle, file, at) : null;
      if (size === null) {
        throw truncated(file, at);
      }
      if (size === 0) {
        break;
      }
      if (at + 8 + size > end) {
        throw truncated(file, at);
      }
      const header = await read(handle, at + 8, size);
      const message = await located(file, at, () => decodeMessage(header));
      const length = message.kind === 'schema' ? 0 : message.bodyBytes;
      if (at + 8 + size + length > end) {
        throw truncated(file, at);
      }
      if (length > bodyBytesMax) {
        throw invalidFile(file, `Byte ${at}: Expected batches of at most ${bodyBytesMax} bytes but one has ${length}.`);
      }
      const bytes = 8 + size + length;
      yield { message, header, body: await read(handle, at + 8 + size, length), at, bytes };
      at += bytes;
      messages += message.kind === 'schema' ? 0 : 1;
    }
    if (footer && footer.messages !== messages) {
      throw invalidFile(
        file,
        `Expected ${footer.messages} batches and dictionaries, as the footer says, but received ${messages}.`,
      );
    }
  } finally {
    await handle.close();
  }
}

/** Puts the file and the place before what is wrong with a message. */
export async function located<T>(file: string, at: number, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ServiceError) {
      throw new ServiceError(error.code, error.reason, `${file}: Message at byte ${at}: ${error.message}`, {
        cause: error,
      });
    }
    throw error;
  }
}

/** Length of the header of the message that begins here; 0: the end mark. */
async function readPrefix(handle: FileHandle, file: string, at: number): Promise<number> {
  const prefix = await read(handle, at, 8);
  const size = prefix.readInt32LE(4);
  if (prefix.readInt32LE(0) !== -1 || size < 0 || size > headerBytesMax) {
    const received = [...prefix].join(', ');
    throw invalidFile(
      file,
      `Byte ${at}: Expected an Arrow message (255, 255, 255, 255, then the length of its header) but received ${received}.`,
    );
  }
  return size;
}

/** The schema that stands in the footer of the file format; null: it is a stream. */
export async function readFooterSchema({ path: file, sizeBytes }: ImportFile): Promise<Column[] | null> {
  const handle = await openFile(file);
  try {
    const hasFooter = (await read(handle, 0, Math.min(magic.length, sizeBytes))).toString('latin1') === magic;
    return hasFooter ? (await readFooter(handle, file, sizeBytes)).columns : null;
  } finally {
    await handle.close();
  }
}

async function readFooter(handle: FileHandle, file: string, sizeBytes: number) {
  const tail =
    sizeBytes >= fileStart + fileEnd ? await read(handle, sizeBytes - fileEnd, fileEnd) : Buffer.alloc(fileEnd);
  const length = tail.readInt32LE(0);
  const start = sizeBytes - fileEnd - length;
  if (tail.toString('latin1', 4) !== magic || length <= 0 || length > headerBytesMax || start < fileStart) {
    throw invalidFile(
      file,
      `Expected an Arrow file to end with its footer and ${magic} but this one does not. Is it truncated?`,
    );
  }
  try {
    const footer = FlatTable.root(await read(handle, start, length));
    const [dictionaries, batches] = [footer.vector(2)?.length ?? 0, footer.vector(3)?.length ?? 0];
    const schema = footer.table(1);
    if (!schema) {
      throw new FlatbufferError('there is no schema');
    }
    return { start, messages: dictionaries + batches, columns: decodeSchema(schema) };
  } catch (error) {
    if (error instanceof FlatbufferError) {
      throw invalidFile(file, `Expected an Arrow file but in its footer ${error.message}.`);
    }
    throw error;
  }
}

function truncated(file: string, at: number): ServiceError {
  return invalidFile(file, `It is truncated: the message at byte ${at} is not whole, or the end mark is missing.`);
}

async function read(handle: FileHandle, position: number, size: number): Promise<Buffer> {
  const bytes = Buffer.alloc(size);
  for (let done = 0; done < size; ) {
    const { bytesRead } = await handle.read(bytes, done, size - done, position + done);
    if (bytesRead === 0) {
      return bytes.subarray(0, done);
    }
    done += bytesRead;
  }
  return bytes;
}
