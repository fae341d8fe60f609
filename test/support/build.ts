import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { root } from './mesh.js';
import { waitForLock } from './wait-for-lock.js';

let built: Promise<void> | undefined;

/** Tests that run what is built call this first: it must be built from these sources. Does nothing when it is. */
export default function build(): Promise<void> {
  built ??= buildOnce();
  return built;
}

async function buildOnce(): Promise<void> {
  const lock = await waitForLock(path.join(root, '.cache/build'));
  try {
    const { status } = spawnSync(process.execPath, ['setup.mjs'], { cwd: root, stdio: ['ignore', 2, 2] });
    if (status !== 0) {
      throw new Error('the set-up failed; the reason stands above');
    }
  } finally {
    lock.release();
  }
}
