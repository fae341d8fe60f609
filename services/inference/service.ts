import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { serviceAddress, servicePort } from '../platform/config.js';
import type { Logger } from '../platform/log.js';
import type { RunningService } from '../platform/main.js';
import { Metrics } from '../platform/metrics.js';
import { startServer } from '../platform/server.js';
import { Teardown } from '../platform/teardown.js';
import { Admission } from './admission.js';
import { sleep } from './backoff.js';
import { type InferenceConfig, metricsPort } from './config.js';
import { Inference } from './inference.js';
import { startMetricsServer } from './metrics-server.js';
import { ModelRepository } from './model-repository.js';
import { predictionService } from './prediction-rpc.js';
import { RegistryClient } from './registry-client.js';
import { RegistryFollower } from './registry-follower.js';
import { inferenceService } from './rpc.js';
import { registerServingMetrics } from './serving-metrics.js';
import { noSharedMemory } from './tensor-request.js';
import { VersionLoader } from './version-loader.js';

const { version } = createRequire(import.meta.url)('#package') as { version: string };

export interface RunningInference extends RunningService {
  metricsPort: number;
}

/**
 * Starts serving what the registry has. It answers at once, and is ready when the first sync is done; it keeps nothing on
 * disk, so any number of them may follow one registry.
 */
export async function startInference(config: InferenceConfig, log: Logger): Promise<RunningInference> {
  const { loadedVersionsMax, artifactBytesMax, batchRowsMax, host } = config;
  const teardown = new Teardown();
  try {
    const metrics = new Metrics('inference');
    const repository = new ModelRepository();
    teardown.add(() => repository.clear());
    const admission = new Admission({
      requestsMax: config.maxInFlight,
      bytesMax: config.maxInFlightBytes,
      threadsMax: availableParallelism(),
    });
    registerServingMetrics(metrics, repository, () => admission.requests);
    const inference = new Inference(repository, admission, noSharedMemory);

    const metricsServer = await startMetricsServer(host, metricsPort(config), metrics);
    teardown.add(() => metricsServer.stop());
    const server = await startServer({
      host,
      port: servicePort(config, 'inference'),
      log,
      metrics,
      implementations: [inferenceService(inference, { version, loadedVersionsMax }), predictionService(inference)],
    });
    teardown.add(() => server.stop(config.stopGraceMs));

    const registry = new RegistryClient(serviceAddress(config, config.registryAddress, 'registry'));
    teardown.add(() => registry.close());
    const loader = new VersionLoader({ registry, artifactBytesMax, batchRowsMax, admission });
    const serving = new Promise<void>((resolve) => {
      const onReady = () => {
        server.setServing(true);
        resolve();
      };
      const follower = new RegistryFollower({ registry, repository, loader, loadedVersionsMax, log, sleep, onReady });
      teardown.add(() => follower.stop());
      follower.start();
    });
    return { port: server.port, metricsPort: metricsServer.port, serving, stop: () => teardown.run() };
  } catch (error) {
    await teardown.run();
    throw error;
  }
}
