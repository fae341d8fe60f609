import { describe, expect, it } from 'vitest';
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
});
