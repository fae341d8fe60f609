import { fileURLToPath } from 'node:url';
import { fromTimestamp } from '../../../proto/index.js';
import { run } from '../../support/mesh.js';
import type { Measurement } from '../main.js';
import { lastJson, measureInTurn, median, type Subject } from '../trial.js';
import { MnistMesh, seedExample } from './mnist-mesh.js';
import { threadSeconds } from './thread-seconds.js';

const epochs = 20;
/** As the example's split has them. */
const validationRows = 5_000;
const threads = 2;
/** Both vary by a third between two trials, as the machine does: one of each would compare its moments. */
const trialsMin = 5;

/**
 * What an epoch of the example costs through the mesh, beside the engine alone: both train on 55,000 rows in batches of 32 on two
 * threads, shuffled by the same seed, and are measured on 5,000 others after each epoch. The mesh's time is that from the event
 * of one epoch to that of the next, so all that a job does is in it.
 */
export async function measureOverhead(trials: number): Promise<Measurement[]> {
  const measured = await measureInTurn([throughMesh, engineAlone], Math.max(trials, trialsMin));
  const seconds = measured.get('seconds')!;
  const processor = measured.get('processor')!;
  const work = `MNIST example, an epoch of 55,000 rows and its validation on 5,000, ${threads} threads`;
  return [
    {
      work,
      unit: 's',
      figures: seconds,
      target: 'at most 1.15 of the engine alone',
      reached: seconds[0]!.median <= 1.15 * seconds[1]!.median,
    },
    {
      work: `${work}, processor time of the process`,
      unit: 's',
      figures: processor,
      target: 'none: the machine may be busy with other things, and this hardly depends on them',
      reached: null,
    },
  ];
}

const engineAlone: Subject = {
  name: 'engine alone',
  async measure() {
    const script = fileURLToPath(new URL('engine-epoch.js', import.meta.url));
    const args = [script, ...[epochs, threads, 1, validationRows].map(String)];
    const { status, stdout, stderr } = await run(process.execPath, args);
    if (status !== 0) {
      throw new Error(`the engine ended with status ${status}: ${stderr}`);
    }
    type Output = { secondsPerEpoch: number[]; cpuSecondsPerEpoch: number[] };
    const { secondsPerEpoch, cpuSecondsPerEpoch } = lastJson<Output>(stdout);
    const mean = cpuSecondsPerEpoch.slice(1).reduce((sum, one) => sum + one, 0) / (epochs - 1);
    return { seconds: median(secondsPerEpoch.slice(1)), processor: mean };
  },
};

const throughMesh: Subject = {
  name: 'through the mesh',
  measure: () =>
    MnistMesh.with(async (mesh) => {
      const { name } = await mesh.millrace.training.createTrainingJob({ spec: seedExample({ epochs }) });
      const pid = mesh.trainingPid;
      const times: number[] = [];
      const processor: number[] = [];
      for await (const { epoch, time } of mesh.follow(name)) {
        if (epoch) {
          times.push(fromTimestamp(time!) / 1_000);
          processor.push(threadSeconds(pid).all);
        }
      }
      const seconds = times.slice(1).map((time, i) => time - times[i]!);
      return { seconds: median(seconds), processor: (processor.at(-1)! - processor[0]!) / (epochs - 1) };
    }),
};
