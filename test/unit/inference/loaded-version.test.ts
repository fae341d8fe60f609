import { describe, expect, it } from 'vitest';
import { sumVersion } from './fake-version.js';

describe('retire', () => {
  it('frees a version that nobody uses, once', () => {
    const { version, network } = sumVersion(1);
    version.retire();
    expect(network.disposals).toBe(1);
  });

  it('waits for the last of its users, also when their work fails', async () => {
    const { version, network } = sumVersion(1);
    let finish = () => {};
    const slow = version.use(
      () =>
        new Promise<void>((resolve) => {
          finish = resolve;
        }),
    );
    const failing = version.use(async () => {
      await slow;
      throw new Error('no');
    });
    version.retire();
    expect(network.disposals).toBe(0);
    finish();
    await slow;
    expect(network.disposals).toBe(0);
    await expect(failing).rejects.toThrow('no');
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
});

describe('isSmall', () => {
  it('weighs the rows by what they cost', () => {
    expect(sumVersion(1, { rowWork: 1_000_000 }).version.isSmall(2)).toBe(true);
    expect(sumVersion(1, { rowWork: 1_000_000 }).version.isSmall(3)).toBe(false);
    expect(sumVersion(1, { rowWork: 1_000_000_000 }).version.isSmall(1)).toBe(false);
  });
});
