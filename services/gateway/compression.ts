import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { constants, createDeflate, createGzip, deflate, gzip } from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** Smaller answers fit into one packet anyway. */
const compressedBytesMin = 1_024;

/** Callers wait for it: most of what there is to win is won at the lowest level. */
const options = { level: constants.Z_BEST_SPEED };
const encoders = {
  gzip: { whole: promisify<Buffer | string, typeof options, Buffer>(gzip), stream: createGzip },
  deflate: { whole: promisify<Buffer | string, typeof options, Buffer>(deflate), stream: createDeflate },
};
type Encoding = keyof typeof encoders;

/** Compresses an answer on its way out if the caller asked for it. */
export async function compressAnswer(request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<unknown> {
  const encoding = chooseEncoding(request.headers['accept-encoding']);
  const isWhole = typeof payload === 'string' || Buffer.isBuffer(payload);
  if (!encoding || !(isWhole || payload instanceof Readable) || (isWhole && payload.length < compressedBytesMin)) {
    return payload;
  }
  reply.header('content-encoding', encoding).header('vary', 'accept-encoding').removeHeader('content-length');
  if (isWhole) {
    return encoders[encoding].whole(payload, options);
  }
  const encoder = encoders[encoding].stream(options);
  payload.on('error', (error) => encoder.destroy(error));
  return payload.pipe(encoder);
}

/** The encoding of ours that a caller likes best (RFC 9110, 12.5.3); null: none. */
export function chooseEncoding(header: string | undefined): Encoding | null {
  let chosen: Encoding | null = null;
  let best = 0;
  for (const part of header?.split(',') ?? []) {
    const [name = '', ...parameters] = part.split(';').map((text) => text.trim().toLowerCase());
    const weight = Number(parameters.find((text) => text.startsWith('q='))?.slice(2) ?? 1);
    const encoding = name === '*' ? 'gzip' : name;
    if ((encoding === 'gzip' || encoding === 'deflate') && weight > best) {
      chosen = encoding;
      best = weight;
    }
  }
  return chosen;
}
