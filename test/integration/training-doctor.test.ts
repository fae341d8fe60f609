import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import build from '../support/build.js';
import { root, run } from '../support/mesh.js';

const doctor = path.join(root, 'dist/services/training/doctor.js');
const version = (createRequire(import.meta.url)('#package') as { version: string }).version;

// The best speed of the machine is kept there.
const cache = mkdtempSync(path.join(tmpdir(), 'millrace-doctor-'));
const env = { ...process.env, XDG_CACHE_HOME: cache };

beforeAll(build);
afterAll(() => rmSync(cache, { recursive: true }));

describe('the doctor', () => {
  it('refuses an argument it does not know, in one line', async () => {
    const { status, stdout, stderr } = await run(process.execPath, [doctor, '--fast']);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^millrace: .*--fast.*\n$/);
  });

  it('says for programs how fast the engine is', async () => {
    const { status, stdout } = await run(process.execPath, [doctor, '--json'], { env });
    expect(status).toBe(0);
    const found = JSON.parse(stdout) as Record<string, unknown>;
    expect(found).toMatchObject({ version, warnings: expect.any(Array), blasGflops: expect.any(Number) });
    expect(found.instructionSet).toMatch(/^(avx512|avx2|portable)$/);
    expect(found.gflops).toBeGreaterThan(0);
    expect(found.gflopsPerThread).toBeGreaterThan(0);
    expect(found.bestGflops).toBeGreaterThanOrEqual(found.gflops as number);
  });

  it('says it for people', async () => {
    const { status, stdout } = await run(process.execPath, [doctor], { env });
    expect(status).toBe(0);
    expect(stdout).toMatch(/^instruction set +\w+$/m);
    expect(stdout).toMatch(/^speed, all threads +[\d.]+ GFLOP\/s \(best measured here [\d.]+\)$/m);
    expect(stdout).toMatch(/^(warning: .+|No problems found\.)$/m);
  });
});
