import path from 'node:path';
import { serviceAddress } from '../../platform/config.js';
import { openDatabase } from '../../platform/database.js';
import type { Logger } from '../../platform/log.js';
import type { Teardown } from '../../platform/teardown.js';
import type { ArtifactCache } from '../artifact-cache.js';
import type { InferenceConfig } from '../config.js';
import { PreprocessingClient } from '../preprocessing-client.js';
import type { RegistryClient } from '../registry-client.js';
import { BatchPredictionJobs } from './jobs.js';
import { BatchModels } from './models.js';
import { migrations, type Schema } from './schema.js';
import { BatchPredictionStore } from './store.js';

export interface OpenOptions {
  config: InferenceConfig;
  /** Of the service. */
  folder: string;
  registry: RegistryClient;
  cache: ArtifactCache;
  log: Logger;
  teardown: Teardown;
}

/** The jobs that are kept in the service's folder; they run once they are started. */
export async function openBatchPredictions(options: OpenOptions): Promise<BatchPredictionJobs> {
  const { config, folder, registry, cache, log, teardown } = options;
  const database = await openDatabase<Schema>(path.join(folder, 'batch-predictions.db'), migrations);
  teardown.add(() => database.destroy());
  const datasets = new PreprocessingClient(
    serviceAddress(config, config.preprocessingAddress, 'preprocessing'),
    config.messageBytesMax,
  );
  teardown.add(() => datasets.close());
  const { artifactBytesMax, batchRowsMax, messageBytesMax } = config;
  const models = new BatchModels(registry, { registry, cache, artifactBytesMax, batchRowsMax, messageBytesMax });
  return new BatchPredictionJobs({ store: new BatchPredictionStore(database), datasets, models, log });
}
