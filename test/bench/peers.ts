import { existsSync } from 'node:fs';
import path from 'node:path';
import { mnistFolder } from '../support/mesh.js';
import { type Contender, median, type Program } from './trial.js';

/**
 * Rivals on the same work. `MILLRACE_PEERS` names a folder with one Python virtual environment a peer (`keras`, `jax`,
 * `torch`) and a folder `ort` in which onnxruntime-node is installed; `MILLRACE_PEER_SCRIPTS` a folder with the Python peers'
 * scripts (`train_keras.py` and so on), which read MNIST from $MNIST_DIR. Of a peer that is missing the reason is told.
 */
export type Peer = 'keras' | 'jax' | 'torch';

/** The Python of a peer's environment, or why there is none. */
export function environmentOf(peer: string): { python: string } | { missing: string } {
  const environments = process.env.MILLRACE_PEERS;
  if (!environments) {
    return { missing: 'MILLRACE_PEERS is not set' };
  }
  const python = path.join(environments, peer, 'bin/python');
  return existsSync(python) ? { python } : { missing: `${python} is missing` };
}

/** A script in a peer's environment; the text says why there is none. */
export function peerProgram(peer: Peer, script: string, args: string[] = []): Program | string {
  const { MILLRACE_PEERS: environments, MILLRACE_PEER_SCRIPTS: scripts } = process.env;
  if (!environments || !scripts) {
    return `${peer} is not measured: MILLRACE_PEERS and MILLRACE_PEER_SCRIPTS are not set`;
  }
  const command = path.join(environments, peer, 'bin/python');
  const file = path.join(scripts, script);
  const missing = [command, file].find((name) => !existsSync(name));
  if (missing) {
    return `${peer} is not measured: ${missing} is missing`;
  }
  const env = { MNIST_DIR: mnistFolder, PYTHONPATH: scripts };
  return { name: [peer, ...args].join(' '), command, args: [file, ...args], env };
}

/** A peer's script that prints a line `epoch N SECONDS ...` for each of five epochs of the seed's example. */
export function trainingPeer(peer: Peer, args: string[] = []): Contender | string {
  const program = peerProgram(peer, `train_${peer}.py`, args);
  return typeof program === 'string' ? program : { ...program, figure: medianEpoch };
}

/** The same program on the first processor only. */
export function onOneCore<P extends Program>(program: P): P {
  return {
    ...program,
    name: `${program.name}, one core`,
    command: 'taskset',
    args: ['-c', '0', program.command, ...program.args],
  };
}

/** The folder in which onnxruntime-node is installed; the text says why there is none. */
export function ortFolder(): { folder: string } | string {
  const environments = process.env.MILLRACE_PEERS;
  const folder = environments && path.join(environments, 'ort');
  if (!folder || !existsSync(path.join(folder, 'node_modules/onnxruntime-node'))) {
    return 'onnxruntime-node is not measured: it is not installed in MILLRACE_PEERS/ort (npm install --ignore-scripts)';
  }
  return { folder };
}

/** Seconds of the median epoch; the first one, in which peers compile and warm up, does not count. */
function medianEpoch(stdout: string): number {
  const seconds = [...stdout.matchAll(/^epoch \d+ ([\d.]+)/gm)].map((match) => Number(match[1]));
  return median(seconds.slice(1));
}
