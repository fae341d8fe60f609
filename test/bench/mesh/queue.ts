import { Millrace } from '../../../clients/sdk/index.js';
import { fromTimestamp, type Timestamp } from '../../../proto/index.js';
import type { Measurement } from '../main.js';
import { startService } from '../serving/own-server.js';
import { summarise } from '../trial.js';
import { MnistMesh, seedExample } from './mnist-mesh.js';

const starts = 20;
const queued = 1_000;
const lists = 20;

/** How soon jobs start, and how long it takes to list a full queue. */
export async function measureQueue(): Promise<Measurement[]> {
  return MnistMesh.with(async (mesh) => {
    const idle = await startsOfIdle(mesh);
    const next = await startsInTurn(mesh);
    await fillQueue(mesh);
    const whileTraining = await listTimes(mesh.millrace);
    const { dataDir, portBase } = mesh.mesh;
    await mesh.mesh.stop();
    const alone = await listsOfAlone(dataDir, portBase);
    return [
      startMeasurement('its creation, nothing else queued', idle),
      startMeasurement('the end of the job before it', next),
      listMeasurement('while one of them trains on all cores', whileTraining),
      listMeasurement('while none trains', alone),
    ];
  });
}

/** A training of the example's network and data that is over soon. */
const short = () => seedExample({ epochs: 0, steps: 50, publish: { model: 'models/short', aliases: [] } });

/** From the creation of a job to its start, ms. */
async function startsOfIdle({ millrace }: MnistMesh): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < starts; i += 1) {
    const { name } = await millrace.training.createTrainingJob({ spec: short() });
    const { createTime, startTime } = await untilEnded(millrace, name);
    times.push(between(createTime, startTime));
  }
  return times;
}

/** From the end of one job to the start of the next, ms. */
async function startsInTurn({ millrace }: MnistMesh): Promise<number[]> {
  const names: string[] = [];
  for (let i = 0; i <= starts; i += 1) {
    names.push((await millrace.training.createTrainingJob({ spec: short() })).name);
  }
  await untilEnded(millrace, names.at(-1)!);
  const jobs = await Promise.all(names.map((name) => millrace.training.getTrainingJob({ name })));
  return jobs.slice(1).map(({ startTime }, i) => between(jobs[i]!.endTime, startTime));
}

async function untilEnded(millrace: Millrace, name: string) {
  for await (const _ of millrace.followTrainingJob(name)) {
    // To its end.
  }
  return millrace.training.getTrainingJob({ name });
}

function between(begin: Timestamp | null, end: Timestamp | null): number {
  return fromTimestamp(end!) - fromTimestamp(begin!);
}

/** As many jobs as the queue takes, of which the first runs for longer than anybody waits. */
async function fillQueue({ millrace }: MnistMesh): Promise<void> {
  const { name } = await millrace.training.createTrainingJob({ spec: seedExample({ epochs: 100_000 }) });
  for await (const { step } of millrace.followTrainingJob(name)) {
    if (step) {
      break;
    }
  }
  for (let made = 1; made < queued; made += 1) {
    await millrace.training.createTrainingJob({ spec: short() });
  }
}

/** Times of asking for the jobs that have not ended, in one page, until they are decoded, ms. */
async function listTimes(millrace: Millrace): Promise<number[]> {
  const times: number[] = [];
  const filter = 'state = QUEUED OR state = PREPARING OR state = TRAINING';
  for (let i = 0; i < lists; i += 1) {
    const begin = performance.now();
    const { trainingJobs } = await millrace.training.listTrainingJobs({ pageSize: queued, filter });
    times.push(performance.now() - begin);
    if (trainingJobs.length !== queued) {
      throw new Error(`expected ${queued} jobs but received ${trainingJobs.length}`);
    }
  }
  return times;
}

/** The same of the training service alone: its first job waits for its data. */
async function listsOfAlone(dataDir: string, portBase: number): Promise<number[]> {
  const settings = [`--data-dir=${dataDir}`, `--port=${portBase + 4}`, `--port-base=${portBase}`];
  const service = await startService('training', { settings });
  const millrace = new Millrace({ portBase });
  try {
    return await listTimes(millrace);
  } finally {
    millrace.close();
    await service.stop();
  }
}

function startMeasurement(since: string, times: number[]): Measurement {
  const figure = summarise('Millrace', times);
  return {
    work: `from ${since}, to the start of a queued job, ${times.length} of them`,
    unit: 'ms',
    figures: [figure],
    target: 'the slowest within 100 ms',
    reached: figure.maximum <= 100,
  };
}

function listMeasurement(when: string, times: number[]): Measurement {
  const figure = summarise('Millrace', times);
  return {
    work: `list ${queued} jobs that have not ended, in one page, ${lists} times, ${when}`,
    unit: 'ms',
    figures: [figure],
    target: 'the median under 50 ms',
    reached: figure.median < 50,
  };
}
