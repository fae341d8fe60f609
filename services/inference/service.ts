import path from 'node:path';
import { serviceAddress, servicePort } from '../platform/config.js';
import { lockFolder } from '../platform/folder-lock.js';
import type { Logger } from '../platform/log.js';
import type { RunningService } from '../platform/main.js';
import { Metrics } from '../platform/metrics.js';
import { startServer } from '../platform/server.js';
import { Teardown } from '../platform/teardown.js';
import { ArtifactCache } from './artifact-cache.js';
import { sleep } from './backoff.js';
import type { BatchPredictions } from './batch-prediction/batch-prediction.js';
import { openBatchPredictions } from './batch-prediction/open.js';
import { type InferenceConfig, metricsPort } from './config.js';
import { ConnectionDoor } from './connection-door.js';
import { Coordinator } from './coordinator.js';
import { Fleet } from './fleet.js';
import { startMetricsServer } from './metrics-server.js';
import { RegistryClient } from './registry-client.js';
import { RegistryFollower } from './registry-follower.js';
import { startingSettings } from './server-settings.js';
import { ServingWorker } from './serving-worker.js';
import { VersionPreparer } from './version-preparer.js';
import { builtWorker, type WorkerProgram } from './worker-process.js';
import { Workers } from './workers.js';

export interface RunningInference extends RunningService {
  metricsPort: number;
  /** Process ids of the workers; empty where this process answers itself. */
  workerPids(): number[];
}

/**
 * Starts serving what the registry has. It answers at once, and is ready when the first sync is done. On disk it keeps
 * files of the versions that it serves and the batch predictions, in `<dataDir>/inference`, which it locks.
 *
 * @param program of the workers, where there are several
 */
export async function startInference(
  config: InferenceConfig,
  log: Logger,
  program: WorkerProgram = builtWorker(),
): Promise<RunningInference> {
  const teardown = new Teardown();
  try {
    const folder = path.join(config.dataDir, 'inference');
    const lock = lockFolder(folder);
    teardown.add(() => lock.release());
    const cache = await ArtifactCache.open(path.join(folder, 'artifacts'));
    const registry = new RegistryClient(
      serviceAddress(config, config.registryAddress, 'registry'),
      config.messageBytesMax,
    );
    teardown.add(() => registry.close());
    const jobs = await openBatchPredictions({ config, folder, registry, cache, log, teardown });

    const fleet = new Fleet(startingSettings(config), log);
    const ownMetrics = config.workers > 1 ? new Metrics('inference') : null;
    const coordinator = new Coordinator({ fleet, log, metrics: ownMetrics });
    const { catalog } = coordinator;
    const metricsServer = await startMetricsServer(config.host, metricsPort(config), () => coordinator.metricsText());
    teardown.add(() => metricsServer.stop());
    const front = await openFront({ config, log, program, fleet, coordinator, jobs, teardown });
    jobs.start();
    teardown.add(() => jobs.stop());

    const { artifactBytesMax, loadedVersionsMax } = config;
    const loader = new VersionPreparer({ registry, cache, fleet, artifactBytesMax });
    const serving = new Promise<void>((resolve) => {
      const onReady = async () => {
        await fleet.settled();
        resolve();
        await cache.sweep();
      };
      const follower = new RegistryFollower({ registry, catalog, loader, loadedVersionsMax, log, sleep, onReady });
      coordinator.follow(follower);
      teardown.add(() => follower.stop());
      follower.start();
    });
    return { ...front, metricsPort: metricsServer.port, serving, stop: () => teardown.run() };
  } catch (error) {
    await teardown.run();
    throw error;
  }
}

/** How much of what a worker has counted may be lost with it when it is killed. */
const hearingMs = 1_000;

interface FrontParts {
  config: InferenceConfig;
  log: Logger;
  program: WorkerProgram;
  fleet: Fleet;
  coordinator: Coordinator;
  jobs: BatchPredictions;
  teardown: Teardown;
}

/** What clients connect to: workers behind one port, or this process itself. */
async function openFront(parts: FrontParts): Promise<Pick<RunningInference, 'port' | 'workerPids'>> {
  const { config, log, program, fleet, coordinator, jobs, teardown } = parts;
  const { host, stopGraceMs } = config;
  const port = servicePort(config, 'inference');
  if (config.workers === 1) {
    const worker = await ServingWorker.start({ config, control: coordinator, jobs, log }, (options) =>
      startServer({ ...options, host, port }),
    );
    teardown.add(() => worker.stop(stopGraceMs));
    await fleet.join(worker);
    return { port: worker.server.port, workerPids: () => [] };
  }
  const door = await ConnectionDoor.open(host, port);
  const onLost = coordinator.lost.bind(coordinator);
  const workers = new Workers({ config, program, control: coordinator, jobs, fleet, door, log, onLost });
  teardown.add(() => workers.stop(stopGraceMs));
  teardown.add(() => door.close());
  await workers.start();
  const hearing = setInterval(() => {
    coordinator.listen().catch((error: unknown) => log.error({ err: error }, 'workers cannot be heard'));
  }, hearingMs);
  teardown.add(() => clearInterval(hearing));
  return { port: door.port, workerPids: () => workers.pids };
}
