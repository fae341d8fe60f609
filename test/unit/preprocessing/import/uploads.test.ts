import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import { uploadFiles } from '../../../../clients/sdk/upload.js';
import { RpcError } from '../../../../proto/index.js';
import type { UploadPart } from '../../../../services/preprocessing/import/upload.js';
import { parseUploadPath, Uploads } from '../../../../services/preprocessing/import/uploads.js';
import { tempFolder } from '../../../support/temp-folder.js';

let folder: string;
let uploads: Uploads;
beforeEach(() => {
  folder = tempFolder();
  uploads = make();
});

function make(rules = { bytesMax: 1_000, keepMs: 60_000 }): Uploads {
  let count = 0;
  return new Uploads(() => path.join(folder, String(count++)), rules);
}

const digestOf = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;
const file = (name: string, sizeBytes: number, offset = 0) => ({ file: { path: name, sizeBytes, offset } });
const chunk = (text: string) => ({ chunk: Buffer.from(text) });
const whole = (name: string, text: string): UploadPart[] => [
  file(name, text.length),
  chunk(text),
  { digest: digestOf(text) },
];

async function* stream(parts: readonly UploadPart[], error?: Error): AsyncGenerator<UploadPart, void> {
  yield* parts;
  if (error) {
    throw error;
  }
}

const send = (parts: readonly UploadPart[], id = 'a') =>
  uploads.receive(stream([{ upload: `uploads/${id}` }, ...parts]), new AbortController().signal);

/** A call whose caller goes after its parts. */
function breakOff(parts: readonly UploadPart[]) {
  const gone = new Error('the caller has gone');
  return expect(
    uploads.receive(stream([{ upload: 'uploads/a' }, ...parts], gone), AbortSignal.abort(gone)),
  ).rejects.toBe(gone);
}

describe('Uploads', () => {
  it.each<[string, UploadPart[], string]>([
    ['no files', [], 'Expected at least one file but received none.'],
    ['an empty message', [null], 'Expected `file` but received nothing.'],
    ['bytes of no file', [chunk('x')], 'Expected `file` but received `chunk`.'],
    ['a path up', [file('../x', 1)], 'Expected `file.path` to be a relative path'],
    ['an absolute path', [file('/x', 1)], 'Expected `file.path` to be a relative path'],
    ['a hidden file', [file('a/.x', 1)], 'Expected `file.path` to be a relative path'],
    ['a zero in a path', [file('a\0', 1)], 'Expected `file.path` to be a relative path'],
    ['a name that is too long', [file('a'.repeat(256), 1)], 'Expected `file.path` to be a relative path'],
    ['too many folders', [file('1/2/3/4/5/6', 1)], 'Expected `file.path` to be a relative path of at most 5 names'],
    ['a negative length', [file('a', -1)], 'Expected `file.size_bytes` to be an integer from 0 but received -1.'],
    ['more than is allowed', [file('a', 1_001)], 'Expected at most 1000 bytes (`uploadBytesMax`)'],
    ['more in all', [...whole('a', 'x'), file('b', 1_000)], 'Expected at most 1000 bytes (`uploadBytesMax`)'],
    ['an offset in a new file', [file('a', 2, 1)], 'Expected `file.offset` to be 0, the bytes that are there of a'],
    ['the same file twice', [...whole('a', 'x'), ...whole('a', 'x')], 'to name each file once'],
    [
      'a file as a folder',
      [...whole('a', 'x'), ...whole('a/b', 'x')],
      'to name each file once, and no file as a folder',
    ],
    ['a folder as a file', [...whole('a/b', 'x'), ...whole('a', 'x')], 'to name each file once'],
    [
      'fewer bytes',
      [file('a', 2), chunk('x'), { digest: digestOf('x') }],
      'Expected 2 bytes of a with their digest but 1 came.',
    ],
    ['more bytes', [file('a', 2), chunk('xyz')], 'Expected 2 bytes of a with their digest but more came.'],
    ['another digest', [file('a', 1), chunk('x'), { digest: 'sha256:0' }], 'not "sha256:0". Upload it again.'],
    ['no digest', [file('a', 1), chunk('x')], 'Expected `chunk` or `digest` of a but received nothing.'],
    [
      'a new file in another',
      [file('a', 2), chunk('x'), file('b', 1)],
      'Expected `chunk` or `digest` of a but received `file`.',
    ],
    [
      'a large chunk',
      [file('a', 2), { chunk: Buffer.alloc(1024 * 1024 + 1) }],
      'Expected `chunk` to be at most 1048576 bytes',
    ],
  ])('refuses %s and keeps nothing', async (_, parts, message) => {
    await expect(send(parts)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining(message),
    });
    expect(readdirSync(folder)).toEqual([]);
    expect(() => uploads.state('a')).toThrow('There is no uploads/a');
  });

  it('refuses a first message without a name, and a name of another form', async () => {
    const { signal } = new AbortController();
    await expect(uploads.receive(stream(whole('a', 'x')), signal)).rejects.toThrow('Expected `upload` in the first');
    await expect(uploads.receive(stream([]), signal)).rejects.toThrow('Expected `upload` in the first message.');
    await expect(send(whole('a', 'x'), '../a')).rejects.toThrow('Expected `upload` to be like uploads/{upload}');
  });

  it('keeps files in their folders until an import takes them, once', async () => {
    expect(await send([...whole('train/x/a', 'hello'), ...whole('b', ''), ...whole('train/x/c', '1')])).toEqual({
      id: 'a',
      fileCount: 3,
      sizeBytes: 6,
      partialBytes: 0,
    });
    const taken = path.join(folder, 'taken');
    await uploads.take('a', taken);
    expect(readFileSync(path.join(taken, 'train/x/a'), 'utf8')).toBe('hello');
    expect(readdirSync(taken)).toEqual(['b', 'train']);
    await expect(uploads.take('a', taken)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('goes on in the middle of a file that broke off, and checks all of it', async () => {
    await breakOff([...whole('a', 'x'), file('b', 4), chunk('12')]);
    expect(uploads.state('a')).toEqual({ id: 'a', fileCount: 1, sizeBytes: 3, partialBytes: 2 });
    await expect(uploads.take('a', path.join(folder, 't'))).rejects.toThrow('uploads/a is not whole yet');
    await breakOff([file('b', 4, 2), chunk('3')]);
    await send([file('b', 4, 3), chunk('4'), { digest: digestOf('1234') }]);
    await uploads.take('a', path.join(folder, 'taken'));
    expect(readFileSync(path.join(folder, 'taken/b'), 'utf8')).toBe('1234');
  });

  it.each<[string, UploadPart[], string]>([
    ['another file', whole('c', 'x'), 'Expected `file` to be the rest of b, 4 bytes, but received "c", 1 bytes.'],
    [
      'another offset',
      [file('b', 4)],
      'Expected `file.offset` to be 2, the bytes that are there of b, but received 0.',
    ],
    [
      'other bytes',
      [file('b', 4, 2), chunk('34'), { digest: digestOf('xx34') }],
      'Expected 4 bytes of b with their digest',
    ],
  ])('refuses to go on with %s', async (_, parts, message) => {
    await breakOff([file('b', 4), chunk('12')]);
    await expect(send(parts)).rejects.toThrow(message);
  });

  it('lets one call at a time send to an upload', async () => {
    let go = () => {};
    const waits = new Promise<void>((resolve) => {
      go = resolve;
    });
    async function* slow() {
      yield { upload: 'uploads/a' };
      await waits;
      yield* whole('a', 'x');
    }
    const first = uploads.receive(slow(), new AbortController().signal);
    await Promise.resolve();
    await expect(send(whole('b', 'y'))).rejects.toMatchObject({ code: 'ABORTED' });
    go();
    expect(await first).toMatchObject({ fileCount: 1 });
  });

  it('refuses too many that nobody imports', async () => {
    for (let i = 0; i < 64; i++) {
      await send(whole('a', 'x'), `a${i}`);
    }
    await expect(send(whole('a', 'x'), 'b')).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    await uploads.take('a7', path.join(folder, 'taken'));
    await send(whole('a', 'x'), 'b');
  });

  it('removes what nobody imports', async () => {
    uploads = make({ bytesMax: 10, keepMs: 1 });
    await send(whole('a', 'x'));
    while (existsSync(path.join(folder, '0'))) {
      await sleep(1);
    }
    expect(() => uploads.state('a')).toThrow('There is no uploads/a');
  });
});

describe('parseUploadPath', () => {
  it('finds uploads and parts of them', () => {
    expect(parseUploadPath('uploads/a', 'f')).toEqual({ id: 'a', inner: [] });
    expect(parseUploadPath('uploads/a/0/x.csv', 'f')).toEqual({ id: 'a', inner: ['0', 'x.csv'] });
    expect(parseUploadPath('/uploads/a', 'f')).toBeNull();
    expect(() => parseUploadPath('uploads/a/../../x', 'f')).toThrow('Expected `f` to name a part of an upload');
    expect(() => parseUploadPath('uploads/', 'f')).toThrow('Expected `f` to be like uploads/{upload}');
  });
});

describe('uploadFiles of the SDK', () => {
  it('goes on where a broken connection left the upload', async () => {
    const local = path.join(tempFolder(), 'a');
    const text = 'line\n'.repeat(200_000);
    writeFileSync(local, text);
    uploads = make({ bytesMax: 10_000_000, keepMs: 60_000 });
    const sizeBytes = text.length;
    const files = ['0/a', '0/b', '0/c'].map((uploadPath) => ({ file: local, uploadPath, sizeBytes }));
    const breaks = [7, 3, Number.POSITIVE_INFINITY];
    const client = {
      async uploadFiles(parts: AsyncIterable<UploadPart>) {
        const left = breaks.shift()!;
        const lost = new RpcError('UNAVAILABLE', 'lost', { reason: '', fieldViolations: [] });
        async function* some() {
          let count = 0;
          for await (const part of parts) {
            if (count++ === left) {
              throw lost;
            }
            yield part;
          }
        }
        return uploads.receive(some(), left < 100 ? AbortSignal.abort() : new AbortController().signal);
      },
      getUpload: async ({ name }: { name: string }) => uploads.state(name.split('/')[1]!),
    };
    const told: number[] = [];
    const name = await uploadFiles(client as never, files, (bytes) => told.push(bytes));
    expect(breaks).toEqual([]);
    expect(told.at(-1)).toBe(3 * sizeBytes);
    const taken = path.join(folder, 'taken');
    await uploads.take(name.split('/')[1]!, taken);
    expect(readFileSync(path.join(taken, '0/c'), 'utf8')).toBe(text);
  });
});
