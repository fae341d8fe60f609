import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';

const root = path.dirname(createRequire(import.meta.url).resolve('#package'));

/** End-to-end tests run what is built: it must be built from these sources. Does nothing when it is. */
export default function build(): void {
  const { status } = spawnSync(process.execPath, ['setup.mjs'], { cwd: root, stdio: ['ignore', 2, 2] });
  if (status !== 0) {
    throw new Error('the set-up failed; the reason stands above');
  }
}
