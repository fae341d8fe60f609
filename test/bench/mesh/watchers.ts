import * as grpc from '@grpc/grpc-js';
import { contracts, fromTimestamp } from '../../../proto/index.js';
import type { Measurement } from '../main.js';
import { measureInTurn, type Subject } from '../trial.js';
import { MnistMesh, seedExample } from './mnist-mesh.js';
import { threadSeconds } from './thread-seconds.js';

const epochs = 20;
const watchers = 100;

/**
 * What it costs a training to be watched: processor time of the service's main thread, which does all there is to do for
 * watchers and next to nothing for the engine, between the first epoch's event and the last one's. The watchers, each on a
 * connection of its own, are in the process of the benchmark; where they share the processors with the training, its wall time
 * has their work in it too.
 */
export async function measureWatchers(trials: number): Promise<Measurement[]> {
  const [most, none] = [watched(watchers), watched(0)];
  const measured = await measureInTurn([most, none], trials);
  const [seconds, main, all] = ['seconds', 'main', 'all'].map((key) => measured.get(key)!);
  const cost = (main![0]!.median - main![1]!.median) / all![1]!.median;
  const work = `MNIST example, ${epochs - 1} epochs`;
  return [
    {
      work: `${work}, processor time of the training service's main thread`,
      unit: 's',
      figures: main!,
      target: `${watchers} watchers cost under 1 % of the training's processor time (${all![1]!.median.toPrecision(3)} s): ${(100 * cost).toFixed(2)} %`,
      reached: cost < 0.01,
    },
    {
      work: `${work}, wall time, the watchers on the same processors`,
      unit: 's',
      figures: seconds!,
      target: 'none: the work of the watchers themselves is in it',
      reached: null,
    },
  ];
}

function watched(count: number): Subject {
  return {
    name: `${count} watchers`,
    measure: () =>
      MnistMesh.with(async (mesh) => {
        const { name } = await mesh.millrace.training.createTrainingJob({ spec: seedExample({ epochs }) });
        const others = Array.from({ length: count }, () => countEvents(mesh.mesh.portBase + 4, name));
        const pid = mesh.trainingPid;
        const marks: { time: number; main: number; all: number }[] = [];
        let events = 0;
        for await (const { epoch, time } of mesh.follow(name)) {
          events += 1;
          if (epoch) {
            marks.push({ time: fromTimestamp(time!) / 1_000, ...threadSeconds(pid) });
          }
        }
        const missed = (await Promise.all(others)).find((counted) => counted !== events);
        if (missed !== undefined) {
          throw new Error(`a watcher got ${missed} events of ${events}`);
        }
        const [begin, end] = [marks[0]!, marks.at(-1)!];
        return { seconds: end.time - begin.time, main: end.main - begin.main, all: end.all - begin.all };
      }),
  };
}

/** Watches a job over a connection of its own; answers how many events came. */
function countEvents(port: number, name: string): Promise<number> {
  const { path, requestSerialize } = contracts.training.definition.WatchTrainingJob!;
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
  });
  const request = { name, afterSequence: 0, fromNow: false, stepEventsPerSecondMax: 0 };
  // Not decoded: that would be the watchers' work.
  const call = client.makeServerStreamRequest(path, requestSerialize, (bytes) => bytes, request);
  return new Promise((resolve, reject) => {
    let count = 0;
    call.on('data', () => {
      count += 1;
    });
    call.on('error', reject);
    call.on('end', () => {
      client.close();
      resolve(count);
    });
  });
}
