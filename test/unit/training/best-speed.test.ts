import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bestSpeedFile, keepBestSpeed, slowness } from '../../../services/training/best-speed.js';

const setting = { instructionSet: 'avx2', threads: 4 };

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'millrace-best-speed-'));
  file = bestSpeedFile({ XDG_CACHE_HOME: folder });
});

afterEach(() => rm(folder, { recursive: true }));

describe('keepBestSpeed', () => {
  it('begins with the first measurement and keeps the best of each kind', async () => {
    const first = { gflopsPerThread: 90, gflops: 300 };
    expect(await keepBestSpeed(file, setting, first)).toEqual(first);
    expect(await keepBestSpeed(file, setting, { gflopsPerThread: 80, gflops: 310 })).toEqual({
      gflopsPerThread: 90,
      gflops: 310,
    });
  });

  it('does not compare another instruction set or number of threads', async () => {
    await keepBestSpeed(file, setting, { gflopsPerThread: 90, gflops: 300 });
    const slower = { gflopsPerThread: 10, gflops: 20 };
    expect(await keepBestSpeed(file, { ...setting, instructionSet: 'portable' }, slower)).toEqual(slower);
    expect(await keepBestSpeed(file, { ...setting, threads: 2 }, slower)).toEqual(slower);
    expect(Object.keys(JSON.parse(await readFile(file, 'utf8')) as object)).toHaveLength(3);
  });

  it.each(['{', '[]', '{"a": {"gflops": -1}}'])('begins anew where the file holds %s', async (content) => {
    const found = { gflopsPerThread: 90, gflops: 300 };
    await keepBestSpeed(file, setting, found);
    await writeFile(file, content);
    expect(await keepBestSpeed(file, setting, found)).toEqual(found);
  });

  it('says when the folder cannot be made', async () => {
    await writeFile(path.join(folder, 'taken'), '');
    const below = bestSpeedFile({ XDG_CACHE_HOME: path.join(folder, 'taken') });
    await expect(keepBestSpeed(below, setting, { gflopsPerThread: 1, gflops: 1 })).rejects.toThrow('ENOTDIR');
  });
});

describe('slowness', () => {
  const best = { gflopsPerThread: 100, gflops: 380 };

  it('is silent near the best', () => {
    expect(slowness({ gflopsPerThread: 92, gflops: 350 }, best, setting, 0.1)).toEqual([]);
  });

  it('names the share of the best, the load and what to do', () => {
    const [one, all, none] = slowness({ gflopsPerThread: 50, gflops: 190 }, best, setting, 3.2);
    expect(one).toContain('one thread reaches 50 % of the best');
    expect(all).toContain('all threads reach 50 % of the best');
    expect(all).toContain('the load is 3.2: stop other programs');
    expect(none).toBeUndefined();
  });

  it('warns of threads that do not add up even without a better run before', () => {
    const found = { gflopsPerThread: 100, gflops: 200 };
    expect(slowness(found, found, setting, 0)).toEqual([
      expect.stringContaining('4 threads reach 50 % of 4 times one'),
    ]);
  });
});
