import { fileURLToPath } from 'node:url';
import type { Suite } from './main.js';
import { trainingPeer } from './peers.js';
import { compare, lastJson, median } from './trial.js';

const script = fileURLToPath(new URL('engine-epoch.js', import.meta.url));

/** The addon alone, in a process with nothing else. */
export const engineSuite: Suite = async (trials, note) => {
  const engine = {
    name: 'Millrace engine',
    command: process.execPath,
    args: [script],
    figure: (stdout: string) => median(lastJson<{ secondsPerEpoch: number[] }>(stdout).secondsPerEpoch.slice(1)),
  };
  const jax = trainingPeer('jax');
  if (typeof jax === 'string') {
    note(jax);
  }
  const figures = await compare(typeof jax === 'string' ? [engine] : [engine, jax], trials);
  return [
    {
      work: 'MNIST example, one epoch of 60,000 images, addon alone',
      unit: 's',
      figures,
      target: "at most 1.0 of JAX's time",
      reached: figures[1] ? figures[0]!.median <= figures[1].median : null,
    },
  ];
};
