import { existsSync } from 'node:fs';
import path from 'node:path';
import { mnistFolder } from '../support/mesh.js';
import { type Contender, median } from './trial.js';

/**
 * Rivals on the same work. `MILLRACE_PEERS` names a folder with one Python virtual environment a peer (`keras`, `jax`),
 * `MILLRACE_PEER_SCRIPTS` a folder with their scripts (`train_keras.py`, `train_jax.py`), which read MNIST from $MNIST_DIR and print a
 * line `epoch N SECONDS ...` for each of five epochs.
 */
export function trainingPeer(name: 'keras' | 'jax'): Contender | string {
  const { MILLRACE_PEERS: environments, MILLRACE_PEER_SCRIPTS: scripts } = process.env;
  if (!environments || !scripts) {
    return `${name} is not measured: MILLRACE_PEERS and MILLRACE_PEER_SCRIPTS are not set`;
  }
  const command = path.join(environments, name, 'bin/python');
  const script = path.join(scripts, `train_${name}.py`);
  const missing = [command, script].find((file) => !existsSync(file));
  if (missing) {
    return `${name} is not measured: ${missing} is missing`;
  }
  return { name, command, args: [script], env: { MNIST_DIR: mnistFolder, PYTHONPATH: scripts }, figure: medianEpoch };
}

/** Seconds of the median epoch; the first one, in which peers compile and warm up, does not count. */
function medianEpoch(stdout: string): number {
  const seconds = [...stdout.matchAll(/^epoch \d+ ([\d.]+)/gm)].map((match) => Number(match[1]));
  return median(seconds.slice(1));
}
