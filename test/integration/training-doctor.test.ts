import { createRequire } from 'node:module';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import build from '../support/build.js';
import { root, run } from '../support/mesh.js';

const doctor = path.join(root, 'dist/services/training/doctor.js');
const version = (createRequire(import.meta.url)('#package') as { version: string }).version;

beforeAll(build);

describe('the doctor', () => {
  it('refuses an argument it does not know, in one line', async () => {
    const { status, stdout, stderr } = await run(process.execPath, [doctor, '--fast']);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^millrace: .*--fast.*\n$/);
  });

  it('says for programs how fast the engine is', async () => {
    const { status, stdout } = await run(process.execPath, [doctor, '--json']);
    expect(status).toBe(0);
    const found = JSON.parse(stdout) as Record<string, unknown>;
    expect(found).toMatchObject({ version, warnings: expect.any(Array), blasGflops: expect.any(Number) });
    expect(found.instructionSet).toMatch(/^(avx512|avx2|portable)$/);
    expect(found.gflops).toBeGreaterThan(0);
    expect(found.gflopsPerThread).toBeGreaterThan(0);
  });

  it('says it for people', async () => {
    const { status, stdout } = await run(process.execPath, [doctor]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^instruction set +\w+$/m);
    expect(stdout).toMatch(/^speed, all threads +[\d.]+ GFLOP\/s$/m);
    expect(stdout).toMatch(/^(warning: .+|No problems found\.)$/m);
  });
});
