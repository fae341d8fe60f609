import { millrace, run } from '../../support/mesh.js';
import type { Measurement } from '../main.js';
import { trainingPeer } from '../peers.js';
import { measureInTurn, type Subject } from '../trial.js';
import { MnistMesh, specFile } from './mnist-mesh.js';

/** From the start of the command to the served version, beside the whole script of a peer. */
export async function measureColdTrain(trials: number): Promise<Measurement> {
  const keras = trainingPeer('keras');
  const subjects = [ours, ...(typeof keras === 'string' ? [] : [wholeScript(keras)])];
  const figures = (await measureInTurn(subjects, trials)).get('seconds')!;
  return {
    work: 'the first `millrace train` of the MNIST example on a mesh with its data, until its version is served',
    unit: 's',
    figures,
    target: "at most 1/8 of the time of Keras's whole script",
    reached: figures[1] ? figures[0]!.median <= figures[1].median / 8 : null,
  };
}

const ours: Subject = {
  name: 'Millrace',
  measure: () =>
    MnistMesh.with(async ({ mesh }) => {
      const begin = performance.now();
      const args = ['train', '-f', specFile, '--follow', `--port-base=${mesh.portBase}`];
      const { status, stderr } = await millrace(...args);
      if (status !== 0) {
        throw new Error(`the training failed: ${stderr}`);
      }
      return { seconds: (performance.now() - begin) / 1_000 };
    }),
};

function wholeScript({ name, command, args, env }: Exclude<ReturnType<typeof trainingPeer>, string>): Subject {
  return {
    name,
    async measure() {
      const begin = performance.now();
      const { status, stderr } = await run(command, args, { env: { ...process.env, ...env } });
      if (status !== 0) {
        throw new Error(`${name} ended with status ${status}: ${stderr}`);
      }
      return { seconds: (performance.now() - begin) / 1_000 };
    },
  };
}
