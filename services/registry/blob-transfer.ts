import { type BlobStore, isDigest } from '../platform/blob-store.js';
import { invalidField, quote, ServiceError, Violations } from '../platform/errors.js';

export interface Blob {
  digest: string;
  sizeBytes: number;
}

/** One message of an upload: first what will come, then bytes. */
export type UploadPart = { announced: Blob } | { chunk: Uint8Array | null };

const chunkBytesMax = 1024 * 1024;
const digestRule = '"sha256:" and 64 hex digits';

export function checkDigest(digest: string, field: string): void {
  const violations = new Violations();
  violations.check(isDigest(digest), field, digestRule, digest);
  violations.throwIfAny();
}

export async function findBlob(blobs: BlobStore, digest: string): Promise<Blob> {
  const sizeBytes = await blobs.sizeOf(digest);
  if (sizeBytes === null) {
    throw new ServiceError('NOT_FOUND', 'BLOB_NOT_FOUND', `There is no blob ${digest}.`);
  }
  return { digest, sizeBytes };
}

/** Keeps what an upload brings; a blob that is there already is answered without waiting for its bytes. */
export async function receiveBlob(blobs: BlobStore, parts: AsyncIterable<UploadPart>): Promise<Blob> {
  const iterator = parts[Symbol.asyncIterator]();
  try {
    const first = await iterator.next();
    if (first.done || !('announced' in first.value)) {
      const came = first.done ? 'nothing' : 'bytes';
      throw invalidField('blob', `Expected \`blob\` in the first message but received ${came}.`);
    }
    const { digest, sizeBytes } = first.value.announced;
    const violations = new Violations();
    violations.check(isDigest(digest), 'blob.digest', digestRule, digest);
    const isSize = Number.isSafeInteger(sizeBytes) && sizeBytes >= 0;
    violations.check(isSize, 'blob.size_bytes', 'an integer from 0', sizeBytes);
    violations.throwIfAny();
    await blobs.put(digest, sizeBytes, bytesOf({ [Symbol.asyncIterator]: () => iterator }));
    return { digest, sizeBytes };
  } finally {
    await iterator.return?.();
  }
}

async function* bytesOf(parts: AsyncIterable<UploadPart>): AsyncGenerator<Uint8Array, void> {
  for await (const part of parts) {
    if ('announced' in part) {
      throw invalidField('blob', 'Expected `blob` in the first message only but received it again.');
    }
    if (part.chunk === null) {
      throw invalidField('chunk', 'Expected `chunk` in every message after the first but received an empty message.');
    }
    if (part.chunk.length > chunkBytesMax) {
      const message = `Expected \`chunk\` to be at most ${quote(chunkBytesMax)} bytes but received ${part.chunk.length}.`;
      throw invalidField('chunk', message);
    }
    yield part.chunk;
  }
}
