import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { ServiceError } from '../../platform/errors.js';
import { expandedBytesMax } from './expansion.js';
import { type ImportFile, type ImportPath, invalidFile } from './import-file.js';

const gzipName = /\.gz$/i;

/**
 * The same files, those of gzip (`a.csv.gz`) unpacked into `folder` first: readers go through a file more than once.
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
    if (gzipName.test(file.path)) {
      const target = path.join(folder, String(i), path.basename(file.path).replace(gzipName, ''));
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
  async function* bounded(pieces: AsyncIterable<Buffer>) {
    let bytes = 0;
    for await (const piece of pieces) {
      bytes += piece.length;
      if (bytes > bytesMax) {
        throw invalidFile(file.path, `Expected it to hold at most ${bytesMax} bytes, unpacked, but there are more.`);
      }
      yield piece;
    }
  }
  try {
    await pipeline(createReadStream(file.path), createGunzip(), bounded, createWriteStream(target, { flags: 'wx' }), {
      signal,
    });
  } catch (error) {
    throw isOfZlib(error) ? invalidFile(file.path, `It cannot be read as a gzip file: ${error.message}.`) : error;
  }
}

function isOfZlib(error: unknown): error is Error {
  return (
    error instanceof Error && !(error instanceof ServiceError) && 'code' in error && /^Z_/.test(String(error.code))
  );
}
