import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { digestOf, isDigest, LocalBlobStore } from '../../../services/platform/blob-store.js';
import { tempFolder } from '../../support/temp-folder.js';

const bytes = Buffer.from('some bytes');
const digest = digestOf(bytes);

async function* chunks(...parts: (Buffer | Error)[]) {
  for (const part of parts) {
    if (part instanceof Error) {
      throw part;
    }
    yield part;
  }
}

async function contentOf(store: LocalBlobStore): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of store.read(digest)) {
    parts.push(part);
  }
  return Buffer.concat(parts);
}

let folder: string;
let store: LocalBlobStore;

const files = () =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);

beforeEach(async () => {
  folder = path.join(tempFolder(), 'blobs');
  store = await LocalBlobStore.open(folder);
});

describe('digests', () => {
  it('have one form', () => {
    expect(digestOf('')).toBe('sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    expect(isDigest(digest)).toBe(true);
    for (const other of ['', 'sha256:', digest.slice(0, -1), `${digest}0`, digest.toUpperCase(), `${digest}\n`]) {
      expect(isDigest(other)).toBe(false);
    }
  });
});

describe('LocalBlobStore', () => {
  it('throws at what is no digest', async () => {
    await expect(store.sizeOf('../lock')).rejects.toThrow('not a digest');
    await expect(store.put('x', 0, chunks())).rejects.toThrow('not a digest');
    expect(() => store.read('x')).toThrow('not a digest');
  });

  it.each([
    ['too few bytes', bytes.length + 1, [bytes]],
    ['too many bytes', bytes.length - 1, [bytes]],
    ['no bytes', bytes.length, []],
    ['other bytes', bytes.length, [Buffer.from('SOME BYTES')]],
  ])('refuses %s and leaves nothing', async (_, sizeBytes, parts) => {
    await expect(store.put(digest, sizeBytes, chunks(...parts))).rejects.toMatchObject({ reason: 'BLOB_MISMATCH' });
    expect(await store.sizeOf(digest)).toBeNull();
    expect(files()).toEqual([]);
  });

  it('stops reading once there are too many bytes', async () => {
    const endless = (async function* () {
      for (;;) {
        yield bytes;
      }
    })();
    await expect(store.put(digest, 25, endless)).rejects.toThrow('received more');
  });

  it('leaves nothing of a source that fails, and throws its error', async () => {
    const failure = new Error('gone');
    await expect(store.put(digest, bytes.length, chunks(bytes.subarray(0, 3), failure))).rejects.toBe(failure);
    expect(files()).toEqual([]);
  });

  it('removes the drafts of a crash when it opens, and keeps the blobs', async () => {
    await store.put(digest, bytes.length, chunks(bytes));
    writeFileSync(path.join(folder, 'drafts', 'left'), 'half');
    const again = await LocalBlobStore.open(folder);
    expect(files()).toEqual([digest.slice('sha256:'.length)]);
    expect(await again.sizeOf(digest)).toBe(bytes.length);
  });

  it('keeps bytes in whatever pieces they come, under the digest', async () => {
    await store.put(digest, bytes.length, chunks(bytes.subarray(0, 1), Buffer.alloc(0), bytes.subarray(1)));
    expect(await store.sizeOf(digest)).toBe(bytes.length);
    expect(await contentOf(store)).toEqual(bytes);
    const hex = digest.slice('sha256:'.length);
    expect(readFileSync(path.join(folder, hex.slice(0, 2), hex))).toEqual(bytes);
  });

  it('asks for no bytes of a blob that is there', async () => {
    await store.put(digest, bytes.length, chunks(bytes));
    await store.put(digest, bytes.length, chunks(new Error('asked for')));
    await expect(store.put(digest, 3, chunks())).rejects.toMatchObject({ reason: 'BLOB_MISMATCH' });
    expect(await contentOf(store)).toEqual(bytes);
  });

  it('keeps the empty blob', async () => {
    await store.put(digestOf(''), 0, chunks());
    expect(await store.sizeOf(digestOf(''))).toBe(0);
  });

  it('fails to open where a file is in the way', async () => {
    const taken = path.join(tempFolder(), 'taken');
    mkdirSync(path.dirname(taken), { recursive: true });
    writeFileSync(taken, '');
    await expect(LocalBlobStore.open(taken)).rejects.toMatchObject({ code: 'ENOTDIR' });
  });
});
