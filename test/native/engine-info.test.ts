import { describe, expect, test } from 'vitest';
import { engineInfo, measureBlasGflops, measureGflops } from '../../native/index.js';

describe('engineInfo', () => {
  test('names version, instruction set, BLAS and threads', () => {
    const info = engineInfo();
    expect(info.version).toMatch(/^\d+\.\d+\.\d+/);
    expect(['avx512', 'avx2', 'portable']).toContain(info.instructionSet);
    expect(info.blas).not.toBe('');
    expect(info.threads).toBeGreaterThanOrEqual(1);
    expect(info.warnings.every((warning) => typeof warning === 'string')).toBe(true);
  });

  test('leaves the environment as it was', () => {
    engineInfo();
    expect(process.env.OPENBLAS_CORETYPE).toBeUndefined();
  });
});

describe('measureGflops', () => {
  test.each([0, -1, 61, Number.NaN])('refuses %s seconds', async (seconds) => {
    await expect(measureGflops({ threads: 1, seconds })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test('measures something', async () => {
    expect(await measureGflops({ threads: 1, seconds: 0.05 })).toBeGreaterThan(0);
    expect(await measureBlasGflops({ seconds: 0.05 })).toBeGreaterThanOrEqual(0);
  });
});
