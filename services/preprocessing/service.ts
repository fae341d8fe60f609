import path from 'node:path';
import { servicePort } from '../platform/config.js';
import { lockFolder } from '../platform/folder-lock.js';
import type { Logger } from '../platform/log.js';
import type { RunningService } from '../platform/main.js';
import { Metrics } from '../platform/metrics.js';
import { startServer } from '../platform/server.js';
import { Teardown } from '../platform/teardown.js';
import type { PreprocessingConfig } from './config.js';
import { DatasetStore } from './dataset-store.js';
import { flightService } from './flight-rpc.js';
import { AllowedFolders } from './import/allowed-folders.js';
import { Uploads } from './import/uploads.js';
import { PipelineStore } from './pipeline-store.js';
import { Preparation } from './preparation.js';
import { preprocessingService } from './rpc.js';
import { TrackedImports } from './tracked-imports.js';

const uploadKeepMs = 3_600_000;

/** Starts preprocessing on `<dataDir>/preprocessing`, which it holds for itself until it stops. */
export async function startPreprocessing(config: PreprocessingConfig, log: Logger): Promise<RunningService> {
  const teardown = new Teardown();
  try {
    const folder = path.join(config.dataDir, 'preprocessing');
    const lock = lockFolder(folder);
    teardown.add(() => lock.release());
    const preparation = new Preparation(await DatasetStore.open(folder), await PipelineStore.open(folder));
    const imports = new TrackedImports({
      folders: new AllowedFolders(config.importFolders),
      hosts: config.importHosts,
      bytesMax: config.downloadBytesMax,
      uploads: new Uploads(() => preparation.datasets.spillFolder(), {
        bytesMax: config.uploadBytesMax,
        keepMs: uploadKeepMs,
      }),
    });
    teardown.add(() => imports.stop(config.stopGraceMs));
    const server = await startServer({
      host: config.host,
      port: servicePort(config, 'preprocessing'),
      messageBytesMax: config.messageBytesMax,
      log,
      metrics: new Metrics('preprocessing'),
      implementations: [preprocessingService(preparation, imports), flightService(preparation, imports)],
    });
    teardown.add(() => server.stop(config.stopGraceMs));
    server.setServing(true);
    return { port: server.port, stop: () => teardown.run() };
  } catch (error) {
    await teardown.run();
    throw error;
  }
}
