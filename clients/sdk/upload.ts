import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PreprocessingServiceClient } from '../../proto/gen/millrace/v1/PreprocessingService.js';
import { type RpcClient, RpcError } from '../../proto/index.js';
import type { LocalFile } from './upload-files.js';

type Client = RpcClient<PreprocessingServiceClient>;

const chunkBytes = 256 * 1024;
const retriesMax = 5;
/** Before the first retry; twice as long before each of the next. */
const retryMs = 100;

/** Where an upload goes on: files that are whole, and bytes of the next. */
interface Held {
  fileCount: number;
  partialBytes: number;
}

/**
 * Sends files. A connection that breaks is made anew, and the upload goes on where it was.
 *
 * @param onBytes gets how many bytes have been sent, of all files
 * @returns the name of the upload, `uploads/ID`
 */
export async function uploadFiles(
  client: Client,
  files: readonly LocalFile[],
  onBytes: (bytes: number) => void,
  signal?: AbortSignal,
): Promise<string> {
  const name = `uploads/u${randomBytes(16).toString('hex')}`;
  let held: Held = { fileCount: 0, partialBytes: 0 };
  for (let retries = 0; ; retries++) {
    try {
      await client.uploadFiles(parts(name, files, held, onBytes), { signal, waitForReady: retries > 0 });
      return name;
    } catch (error) {
      if (retries === retriesMax || !isPassing(error) || signal?.aborted) {
        throw error;
      }
    }
    await sleep(retryMs * 2 ** retries, undefined, { signal });
    held = await heldOf(client, name, signal);
  }
}

/** Whether what failed may work a moment later. */
function isPassing(error: unknown): boolean {
  return error instanceof RpcError && (error.code === 'UNAVAILABLE' || error.code === 'ABORTED');
}

async function heldOf(client: Client, name: string, signal: AbortSignal | undefined): Promise<Held> {
  try {
    return await client.getUpload({ name }, { signal, waitForReady: true });
  } catch (error) {
    // Nothing has come yet, or the service was started anew.
    if (error instanceof RpcError && error.code === 'NOT_FOUND') {
      return { fileCount: 0, partialBytes: 0 };
    }
    throw error;
  }
}

async function* parts(name: string, files: readonly LocalFile[], held: Held, onBytes: (bytes: number) => void) {
  yield { upload: name };
  let bytes = files.slice(0, held.fileCount).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  for (const [i, { file, uploadPath, sizeBytes }] of files.slice(held.fileCount).entries()) {
    const offset = i === 0 ? held.partialBytes : 0;
    yield { file: { path: uploadPath, sizeBytes, offset } };
    const hash = createHash('sha256');
    let position = 0;
    // What was added since is left out; what is missing is told by the service.
    for await (const read of sizeBytes > 0 ? contentOf(file, sizeBytes) : []) {
      hash.update(read);
      const chunk = read.subarray(Math.max(0, offset - position));
      position += read.length;
      if (chunk.length > 0) {
        yield { chunk };
      }
      onBytes(bytes + position);
    }
    bytes += sizeBytes;
    yield { digest: `sha256:${hash.digest('hex')}` };
  }
}

function contentOf(file: string, sizeBytes: number): AsyncIterable<Buffer> {
  return createReadStream(file, { end: sizeBytes - 1, highWaterMark: chunkBytes });
}
