import { createHash } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { ArtifactCache } from '../../../services/inference/artifact-cache.js';
import { tempFolder } from '../../support/temp-folder.js';

const artifact = (content: string) => ({
  digest: `sha256:${createHash('sha256').update(content).digest('hex')}`,
  sizeBytes: content.length,
});

/** A cache of files of 4 bytes, and what was brought for it. */
async function openCache(unheldBytesMax: number) {
  const folder = path.join(tempFolder(), 'artifacts');
  const cache = await ArtifactCache.open(folder, unheldBytesMax);
  const brought: string[] = [];
  const hold = (content: string) =>
    cache.hold('network.json', artifact(content), async function* () {
      brought.push(content);
      yield Buffer.from(content);
    });
  const files = () => readdirSync(folder, { recursive: true }).map(String);
  const has = (content: string) =>
    files().some((file) => file.endsWith(artifact(content).digest.slice('sha256:'.length)));
  const release = (content: string) => cache.release(artifact(content).digest);
  return { cache, brought, hold, release, has, files };
}

describe('files that nobody holds any more', () => {
  it('are there for who wants them again', async () => {
    const { hold, release, brought } = await openCache(100);
    const first = await hold('aaaa');
    await release('aaaa');
    expect(await hold('aaaa')).toBe(first);
    expect(brought).toEqual(['aaaa']);
  });

  it('go when there are too many bytes of them, first those that were let go of first, with what lies beside them', async () => {
    const { hold, release, brought, has, files } = await openCache(8);
    for (const content of ['aaaa', 'bbbb', 'cccc']) {
      writeFileSync(`${await hold(content)}.prepared`, 'x');
    }
    for (const content of ['bbbb', 'aaaa', 'cccc']) {
      await release(content);
    }
    expect(['aaaa', 'bbbb', 'cccc'].map(has)).toEqual([true, false, true]);
    expect(files().filter((file) => file.endsWith('.prepared'))).toHaveLength(2);
    await hold('bbbb');
    expect(brought).toEqual(['aaaa', 'bbbb', 'cccc', 'bbbb']);
  });

  it('do not count while somebody holds them', async () => {
    const { hold, release, has } = await openCache(4);
    await hold('aaaa');
    await release('aaaa');
    await hold('aaaa');
    await hold('bbbb');
    await release('bbbb');
    expect([has('aaaa'), has('bbbb')]).toEqual([true, true]);
  });

  it('are no leftovers of an earlier run', async () => {
    const { cache, hold, release, has } = await openCache(4);
    await hold('aaaa');
    await release('aaaa');
    await cache.sweep();
    expect(has('aaaa')).toBe(true);
  });

  it('go at once if they are larger than all that may stay', async () => {
    const { hold, release, has } = await openCache(3);
    await hold('aaaa');
    await release('aaaa');
    expect(has('aaaa')).toBe(false);
  });
});
