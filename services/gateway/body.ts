import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { createGunzip, createInflate } from 'node:zlib';
import type { BodyShare } from './body-budget.js';
import { HttpError } from './http-error.js';

const chunkBytes = 64 * 1024;

/**
 * The whole body of a request, decompressed. Bounded before and after: what inflates beyond `bytesMax` is not inflated to its
 * end.
 * @param share what the body holds of the memory for all of them
 */
export async function readBody(
  stream: Readable,
  headers: IncomingHttpHeaders,
  bytesMax: number,
  share: BodyShare,
): Promise<Buffer> {
  const declaredBytes = Number(headers['content-length'] ?? 0);
  if (declaredBytes > bytesMax) {
    throw tooLarge(bytesMax);
  }
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  switch (encoding) {
    case '':
    case 'identity':
      return gather(stream, bytesMax, share);
    case 'gzip':
    case 'deflate':
      return inflate(stream, encoding, bytesMax, share);
    default:
      throw new HttpError(
        415,
        `Expected a body encoded as gzip, deflate or identity but its encoding is ${JSON.stringify(encoding)}.`,
      );
  }
}

async function inflate(
  stream: Readable,
  encoding: 'gzip' | 'deflate',
  bytesMax: number,
  share: BodyShare,
): Promise<Buffer> {
  const inflater =
    encoding === 'gzip' ? createGunzip({ chunkSize: chunkBytes }) : createInflate({ chunkSize: chunkBytes });
  const fail = (error: Error) => inflater.destroy(error);
  stream.on('error', fail).pipe(inflater);
  try {
    return await gather(inflater, bytesMax, share);
  } catch (error) {
    const isDataError =
      error instanceof Error && 'errno' in error && 'code' in error && String(error.code).startsWith('Z_');
    throw isDataError ? new HttpError(400, `The body is not ${encoding}: ${error.message}.`, { cause: error }) : error;
  } finally {
    stream.unpipe(inflater).off('error', fail);
    inflater.destroy();
  }
}

async function gather(stream: Readable, bytesMax: number, share: BodyShare): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  // Not destroyed with the loop: on the other end of the stream the answer is still to go out.
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    sizeBytes += chunk.length;
    if (sizeBytes > bytesMax) {
      throw tooLarge(bytesMax);
    }
    share.hold(chunk.length);
    chunks.push(chunk);
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, sizeBytes);
}

function tooLarge(bytesMax: number): HttpError {
  return new HttpError(413, `A body may have ${bytesMax} bytes, decompressed; this one has more.`);
}
