import { describe, expect, it } from 'vitest';
import { defaultBatching } from '../../../services/inference/batching-settings.js';
import type { LoadedVersion } from '../../../services/inference/loaded-version.js';
import { toBytes, toFloats } from '../../../services/inference/network-executable.js';
import { sumVersion } from './fake-version.js';

describe('retire', () => {
  it('frees a version that nobody uses, once', () => {
    const { version, network } = sumVersion(1);
    version.retire();
    expect(network.disposals).toBe(1);
  });

  it('waits for the last of its users', () => {
    const { version, network } = sumVersion(1);
    version.enter();
    version.enter();
    version.retire();
    version.leave();
    expect(network.disposals).toBe(0);
    version.leave();
    expect(network.disposals).toBe(1);
  });
});

describe('rowsMax', () => {
  it('is the setting', () => {
    expect(sumVersion(1, { batchRowsMax: 8 }).version.rowsMax).toBe(8);
  });

  it('is less where a tensor would not fit into a message', () => {
    const { rowsMax } = sumVersion(1, { batchRowsMax: 10_000_000 }).version;
    expect(rowsMax * 2 * 4).toBeLessThan(64 * 1024 * 1024);
    expect(rowsMax * 2 * 4).toBeGreaterThan(63 * 1024 * 1024);
  });

  it('is more where a message may be larger', () => {
    const messageBytesMax = 70 * 1024 * 1024;
    const { rowsMax } = sumVersion(1, { batchRowsMax: 10_000_000, messageBytesMax }).version;
    expect(rowsMax * 2 * 4).toBeLessThan(messageBytesMax);
    expect(rowsMax * 2 * 4).toBeGreaterThan(69 * 1024 * 1024);
  });
});

describe('a version with a cache', () => {
  const caller = { throwIfGone: () => {} };
  const ask = (version: LoadedVersion, ...values: number[]) =>
    version.compute({
      inputs: [toBytes(Float32Array.from(values))],
      rows: 1,
      caller,
      urgency: { priority: 0, timeoutUs: 0 },
      timing: null,
    });

  it('computes the same request once, and counts both', async () => {
    const { version, network } = sumVersion(1);
    version.configure({ batching: defaultBatching, responseCacheBytes: 10_000 });
    const answers = [await ask(version, 1, 2), await ask(version, 1, 2), await ask(version, 2, 2)];
    expect(answers.map(([output]) => toFloats(output!)[0])).toEqual([3, 3, 4]);
    expect(network.predictions).toBe(2);
    expect(version.statistics).toMatchObject({ cacheHit: { count: 1 }, cacheMiss: { count: 2 } });
  });

  it('keeps what it has while there is to be as much of it, and nothing without one', async () => {
    const { version, network } = sumVersion(1);
    const settings = { batching: defaultBatching, responseCacheBytes: 10_000 };
    version.configure(settings);
    await ask(version, 1, 2);
    version.configure(settings);
    await ask(version, 1, 2);
    expect(network.predictions).toBe(1);
    version.configure({ ...settings, responseCacheBytes: 0 });
    await ask(version, 1, 2);
    await ask(version, 1, 2);
    expect(network.predictions).toBe(3);
  });
});
