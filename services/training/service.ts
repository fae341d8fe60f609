import { totalmem } from 'node:os';
import path from 'node:path';
import { availableCores } from '../../native/index.js';
import { serviceAddress, servicePort } from '../platform/config.js';
import { openDatabase } from '../platform/database.js';
import { lockFolder } from '../platform/folder-lock.js';
import type { Logger } from '../platform/log.js';
import type { RunningService } from '../platform/main.js';
import { startServer } from '../platform/server.js';
import { Teardown } from '../platform/teardown.js';
import { CheckpointStore } from './checkpoint-store.js';
import type { TrainingConfig } from './config.js';
import { createJob, type JobRequest } from './job-creation.js';
import { JobQueue, shareCores } from './job-queue.js';
import { JobRunner } from './job-runner.js';
import { JobStore } from './job-store.js';
import { watchJob } from './job-watch.js';
import { PreprocessingClient } from './preprocessing-client.js';
import { RegistryClient } from './registry-client.js';
import { trainingService } from './rpc.js';
import { migrations, type Schema } from './schema.js';
import { TensorBoardFolder } from './tensorboard/tensorboard-folder.js';
import { TrainingMetrics } from './training-metrics.js';
import { TuningStore } from './tuning/tuning-store.js';
import { Tunings } from './tuning/tunings.js';
import { toSpecDraft, tuningService } from './tuning-rpc.js';

/** Starts training on `<dataDir>/training`, which it holds for itself until it stops, and goes on with jobs left unfinished. */
export async function startTraining(config: TrainingConfig, log: Logger): Promise<RunningService> {
  const teardown = new Teardown();
  try {
    const folder = path.join(config.dataDir, 'training');
    const lock = lockFolder(folder);
    teardown.add(() => lock.release());
    const database = await openDatabase<Schema>(path.join(folder, 'training.db'), migrations);
    teardown.add(() => database.destroy());
    const store = new JobStore(database);
    const checkpoints = await CheckpointStore.open(path.join(folder, 'checkpoints'));
    await checkpoints.keepOnly(await store.resumableIds());
    const preprocessing = new PreprocessingClient(
      serviceAddress(config, config.preprocessingAddress, 'preprocessing'),
      config.messageBytesMax,
    );
    teardown.add(() => preprocessing.close());
    const registry = new RegistryClient(
      serviceAddress(config, config.registryAddress, 'registry'),
      config.messageBytesMax,
    );
    teardown.add(() => registry.close());
    const metrics = new TrainingMetrics(() => store.countByState());
    const everything = { after: 0, fromNow: false, stepEventsPerSecondMax: 0 };
    const events = (id: string, signal: AbortSignal) => watchJob(store, id, everything, signal);
    const board = new TensorBoardFolder(path.join(folder, 'tensorboard'), events, log);
    await board.recover((id) => store.isEnded(id));
    const beside = { preprocessing, fitter: preprocessing, registry };
    const runner = new JobRunner(store, { history: store, ...beside, checkpoints, board, metrics, log });
    const queue = new JobQueue(store, runner, log, shareCores(availableCores(), config.jobsAtOnce));
    const creation = { store, preprocessing, memoryBytes: availableMemoryBytes() };
    const tunings = new TuningStore(database);
    const queueJob = async (spec: object, request: JobRequest, signal: AbortSignal) => {
      const job = await createJob(creation, toSpecDraft(spec), request, signal);
      queue.wake();
      return job;
    };
    const running = new Tunings({ tunings, jobs: store, queue, createJob: queueJob, log, now: Date.now });
    const tuning = { ...creation, tunings, parallelDefault: config.jobsAtOnce };
    const server = await startServer({
      host: config.host,
      port: servicePort(config, 'training'),
      messageBytesMax: config.messageBytesMax,
      log,
      metrics,
      implementations: [trainingService(store, queue, creation), tuningService(running, tuning)],
    });
    teardown.add(() => server.stop(config.stopGraceMs));
    queue.start();
    // Before the server's stop: the engine is told first, and watchers see that the job goes no further here.
    teardown.add(() => queue.stop());
    await running.start();
    teardown.add(() => running.stop());
    server.setServing(true);
    return { port: server.port, stop: () => teardown.run() };
  } catch (error) {
    await teardown.run();
    throw error;
  }
}

/** What a container may use, or the machine has. */
function availableMemoryBytes(): number {
  const constrained = process.constrainedMemory();
  return constrained && constrained < totalmem() ? constrained : totalmem();
}
