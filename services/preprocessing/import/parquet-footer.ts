import type { FileHandle } from 'node:fs/promises';
import { columnsMax } from '../column.js';
import { type ImportFile, invalidFile, openFile } from './import-file.js';

const magic = 'PAR1';
const footerBytesMax = 64 * 1024 * 1024;
/** Columns, the root, and the groups that lists and structs are made of. */
const elementsMax = 4 * columnsMax;

/** Refuses what is no Parquet file, or one whose footer alone would fill memory, before DuckDB reads it. */
export async function checkParquet({ path: file, sizeBytes }: ImportFile): Promise<void> {
  const handle = await openFile(file);
  try {
    const first = await read(handle, 0, Math.min(4, sizeBytes));
    if (first.toString('latin1') !== magic) {
      throw invalidFile(
        file,
        `Expected a Parquet file (first bytes ${magic}) but its first bytes are ${[...first].join(', ')}.`,
      );
    }
    const tail = sizeBytes >= 12 ? await read(handle, sizeBytes - 8, 8) : Buffer.alloc(8);
    const end = tail.toString('latin1', 4);
    if (end === 'PARE') {
      throw invalidFile(file, 'Expected a Parquet file in plaintext but its footer is encrypted.');
    }
    const footerBytes = tail.readUInt32LE(0);
    if (end !== magic || footerBytes + 12 > sizeBytes) {
      throw invalidFile(
        file,
        `Expected a Parquet file to end with its footer and ${magic} but this one does not. Is it truncated?`,
      );
    }
    if (footerBytes > footerBytesMax) {
      throw invalidFile(file, `Expected a footer of at most ${footerBytesMax} bytes but it has ${footerBytes}.`);
    }
    const elements = countElements(await read(handle, sizeBytes - 8 - footerBytes, Math.min(footerBytes, 32)));
    if (elements > elementsMax) {
      throw invalidFile(file, `Expected at most ${columnsMax} columns but its schema has ${elements} elements.`);
    }
  } finally {
    await handle.close();
  }
}

async function read(handle: FileHandle, position: number, size: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(size), 0, size, position);
  return buffer.subarray(0, bytesRead);
}

/**
 * Length of the schema in a footer, which begins with the version and then the schema as a list, in Thrift's compact form.
 * 0: it is written in another order, and DuckDB is left to say what it makes of it.
 */
function countElements(footer: Buffer): number {
  const [versionHeader, schemaHeader] = [0x15, 0x19];
  if (footer[0] !== versionHeader) {
    return 0;
  }
  const version = readVarint(footer, 1);
  if (footer[version.end] !== schemaHeader) {
    return 0;
  }
  const list = footer[version.end + 1] ?? 0;
  const short = list >> 4;
  return short < 15 ? short : readVarint(footer, version.end + 2).value;
}

function readVarint(bytes: Buffer, from: number): { value: number; end: number } {
  let value = 0;
  for (let at = from, scale = 1; at < bytes.length; at++, scale *= 128) {
    value += (bytes[at]! & 0x7f) * scale;
    if (bytes[at]! < 0x80) {
      return { value, end: at + 1 };
    }
  }
  return { value, end: bytes.length };
}
