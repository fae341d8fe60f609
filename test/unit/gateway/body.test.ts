import { Readable } from 'node:stream';
import { deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readBody } from '../../../services/gateway/body.js';
import { BodyBudget, BodyShare } from '../../../services/gateway/body-budget.js';

const share = (budget = new BodyBudget(Number.MAX_SAFE_INTEGER)) => new BodyShare(budget);

const read = (bytes: Buffer, encoding?: string, bytesMax = 100_000) =>
  readBody(Readable.from([bytes]), encoding === undefined ? {} : { 'content-encoding': encoding }, bytesMax, share());

const text = Buffer.from('a mill and its race '.repeat(100));

describe('readBody', () => {
  it.each([
    ['an encoding that it does not know', text, 'br', { statusCode: 415, message: expect.stringContaining('"br"') }],
    ['an encoding in two layers', text, 'gzip, gzip', { statusCode: 415 }],
    ['what is not gzip', text, 'gzip', { statusCode: 400, message: expect.stringMatching(/not gzip/) }],
    ['what is cut short', gzipSync(text).subarray(0, 20), 'gzip', { statusCode: 400 }],
    ['what is not deflate', gzipSync(text), 'deflate', { statusCode: 400 }],
  ])('refuses %s', async (_, bytes, encoding, error) => {
    await expect(read(bytes, encoding)).rejects.toMatchObject(error);
  });

  it('refuses a size beyond the bound before it reads', async () => {
    const stream = new Readable({ read: () => expect.unreachable() });
    await expect(readBody(stream, { 'content-length': '11' }, 10, share())).rejects.toMatchObject({ statusCode: 413 });
  });

  it('refuses more than the bound, whatever was said', async () => {
    await expect(read(text, undefined, text.length - 1)).rejects.toMatchObject({ statusCode: 413 });
  });

  it.each(['gzip', 'deflate'])('does not inflate a %s bomb to its end', async (encoding) => {
    const bomb = (encoding === 'gzip' ? gzipSync : deflateSync)(Buffer.alloc(64_000_000));
    expect(bomb.length).toBeLessThan(100_000);
    const before = process.memoryUsage().arrayBuffers;
    await expect(read(bomb, encoding)).rejects.toMatchObject({ statusCode: 413 });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16_000_000);
  });

  it.each<[string | undefined, Buffer]>([
    [undefined, text],
    ['identity', text],
    ['gzip', gzipSync(text)],
    ['GZIP', gzipSync(text)],
    ['deflate', deflateSync(text)],
  ])('reads a body encoded as %s', async (encoding, bytes) => {
    expect(await read(bytes, encoding)).toEqual(text);
  });

  it('reads an empty body', async () => {
    expect(await readBody(Readable.from([]), {}, 10, share())).toHaveLength(0);
  });

  it('refuses what goes beyond the budget of all bodies, until one is done', async () => {
    const budget = new BodyBudget(150);
    const [first, second] = [share(budget), share(budget)];
    const body = () => Readable.from([Buffer.alloc(50), Buffer.alloc(50)]);
    await readBody(body(), {}, 100, first);
    await expect(readBody(body(), {}, 100, second)).rejects.toMatchObject({ statusCode: 429 });
    expect(budget.usedBytes).toBe(150);
    first.release();
    second.release();
    first.release();
    expect(budget.usedBytes).toBe(0);
    expect(await readBody(body(), {}, 100, share(budget))).toHaveLength(100);
  });
});
