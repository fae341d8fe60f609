import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { expandedBytesMax } from './expansion.js';
import { type ImportFile, type ImportPath, invalidFile } from './import-file.js';
import { readZstd, ZstdError } from './zstd-file.js';

const compressedName = /\.(gz|zst)$/i;

/**
 * The same files, those of gzip and zstd (`a.csv.gz`, `a.csv.zst`) unpacked into `folder` first: readers go through a file more than once.
 *
 * @param bytesMaxOf how many bytes a file of a size may become
 * @param sources gets each unpacked file, with the name that it was given by
 */
export async function unpackFiles(
  files: readonly ImportFile[],
  folder: string,
  sources: ImportPath[],
  signal: AbortSignal,
  bytesMaxOf = expandedBytesMax,
): Promise<ImportFile[]> {
  const unpacked: ImportFile[] = [];
  for (const [i, file] of files.entries()) {
    if (compressedName.test(file.path)) {
      const target = path.join(folder, String(i), path.basename(file.path).replace(compressedName, ''));
      sources.push({ given: file.path, path: target, isFetched: true });
      await mkdir(path.dirname(target), { recursive: true });
      await unpack(file, target, bytesMaxOf(file.sizeBytes), signal);
      unpacked.push({ ...file, path: target, sizeBytes: (await stat(target)).size });
    } else {
      unpacked.push(file);
    }
  }
  return unpacked;
}

async function unpack(file: ImportFile, target: string, bytesMax: number, signal: AbortSignal): Promise<void> {
  async function* bounded(pieces: AsyncIterable<Uint8Array>) {
    let bytes = 0;
    for await (const piece of pieces) {
      bytes += piece.length;
      if (bytes > bytesMax) {
        throw invalidFile(file.path, `Expected it to hold at most ${bytesMax} bytes, unpacked, but there are more.`);
      }
      yield piece;
    }
  }
  const isZstd = /zst$/i.test(file.path);
  const writing = createWriteStream(target, { flags: 'wx' });
  try {
    await (isZstd
      ? pipeline(readZstd(file.path), bounded, writing, { signal })
      : pipeline(createReadStream(file.path), createGunzip(), bounded, writing, { signal }));
  } catch (error) {
    const title = isZstd ? 'zstd' : 'gzip';
    throw isOfBytes(error) ? invalidFile(file.path, `It cannot be read as a ${title} file: ${error.message}.`) : error;
  }
}

function isOfBytes(error: unknown): error is Error {
  const isOfZlib = error instanceof Error && 'code' in error && /^Z_/.test(String(error.code));
  return isOfZlib || error instanceof ZstdError;
}
