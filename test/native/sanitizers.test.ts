import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const source = fileURLToPath(new URL('../../native', import.meta.url));

function run(command: string, args: string[]): string {
  const result = spawnSync(command, args, { encoding: 'utf8' });
  const output = `${result.stdout}${result.stderr}`;
  expect(result.status, `${command} ${args.join(' ')}\n${output.slice(-4000)}`).toBe(0);
  return output;
}

// The engine's own test program (test/native/engine) is built beside the addon and kept for the next time.
test('the engine is clean under the address and undefined-behaviour sanitizers', { timeout: 900_000 }, () => {
  const build = `${source}/build/sanitize`;
  const options = ['-DMILLRACE_TESTS=ON', '-DMILLRACE_SANITIZE=ON'];
  run('cmake', ['-S', source, '-B', build, ...options]);
  run('cmake', ['--build', build, '--parallel', '2']);
  expect(run(`${build}/engine_test`, [])).toMatch(/\d+ passed\n$/);
});
