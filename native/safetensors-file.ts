import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { invalidArgument } from './engine-error.js';
import { headerEnd, readLayout, type TensorEntry } from './safetensors.js';

const lengthBytes = 8;

/** The tensors of a file by name, without their data. Refuses what `readSafetensors` refuses of a header. */
export async function readTensorEntries(path: string): Promise<Map<string, TensorEntry>> {
  if (typeof path !== 'string') throw invalidArgument('path', 'Expected `path` to be a string.');
  const file = await openForReading(path);
  try {
    const status = await file.stat();
    if (!status.isFile()) throw unreadable(path, 'is no regular file');
    const end = headerEnd(await readBeginning(file, Math.min(lengthBytes, status.size)), status.size);
    const { entries } = readLayout(await readBeginning(file, end), status.size);
    return new Map(entries.map((entry) => [entry.name, entry]));
  } finally {
    await file.close();
  }
}

async function openForReading(path: string): Promise<FileHandle> {
  try {
    // Without O_NONBLOCK opening a pipe would wait for its other end.
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw unreadable(path, `could not be opened: ${(error as Error).message}`);
  }
}

async function readBeginning(file: FileHandle, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(bytes, done, length - done, done);
    if (bytesRead === 0) throw invalidArgument('header', `The file became shorter than ${length} bytes.`);
    done += bytesRead;
  }
  return bytes;
}

function unreadable(path: string, why: string) {
  return invalidArgument('path', `Expected \`path\` to be a file that can be read, but "${path}" ${why}.`);
}
