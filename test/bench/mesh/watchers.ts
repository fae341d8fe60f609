import * as grpc from '@grpc/grpc-js';
import { availableCores } from '../../../native/index.js';
import { contracts, fromTimestamp } from '../../../proto/index.js';
import type { Measurement } from '../main.js';
import { measureInTurn, type Subject } from '../trial.js';
import { MnistMesh, seedExample } from './mnist-mesh.js';
import { threadSeconds } from './thread-seconds.js';

const epochs = 20;
const watchers = 100;
const cores = availableCores();

/**
 * What it costs a training to be watched: processor time of the service's main thread, which does all there is to do for
 * watchers and next to nothing for the engine, for each second between the first epoch's event and the last one's. That is
 * what the cores, all of which train, lose. The watchers, each on a connection of its own, are in the process of the benchmark;
 * where they share the cores with the training, its wall time has their work in it too.
 */
export async function measureWatchers(trials: number): Promise<Measurement[]> {
  const measured = await measureInTurn([watched(watchers), watched(0)], trials);
  const [share, seconds] = ['share', 'seconds'].map((key) => measured.get(key)!);
  const cost = share![0]!.median - share![1]!.median;
  const work = `MNIST example, ${epochs - 1} epochs`;
  return [
    {
      work: `${work}, main thread of the training service, of the time of ${cores} cores`,
      unit: '%',
      figures: share!,
      target: `${watchers} watchers cost under 1 %: ${cost.toFixed(2)}`,
      reached: cost < 1,
    },
    {
      work: `${work}, wall time, the watchers on the same cores`,
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
        const marks: { time: number; main: number }[] = [];
        let events = 0;
        for await (const { epoch, time } of mesh.follow(name)) {
          events += 1;
          if (epoch) {
            marks.push({ time: fromTimestamp(time!) / 1_000, main: threadSeconds(pid).main });
          }
        }
        const missed = (await Promise.all(others)).find((counted) => counted !== events);
        if (missed !== undefined) {
          throw new Error(`a watcher got ${missed} events of ${events}`);
        }
        const [begin, end] = [marks[0]!, marks.at(-1)!];
        const seconds = end.time - begin.time;
        return { seconds, share: (100 * (end.main - begin.main)) / seconds / cores };
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
