import path from 'node:path';
import { LocalBlobStore } from '../platform/blob-store.js';
import { servicePort } from '../platform/config.js';
import { openDatabase } from '../platform/database.js';
import { lockFolder } from '../platform/folder-lock.js';
import type { Logger } from '../platform/log.js';
import type { RunningService } from '../platform/main.js';
import { Metrics } from '../platform/metrics.js';
import { startServer } from '../platform/server.js';
import { Teardown } from '../platform/teardown.js';
import type { RegistryConfig } from './config.js';
import { ModelStore } from './model-store.js';
import { registryService } from './rpc.js';
import { migrations, type Schema } from './schema.js';

/** Starts the registry on `<dataDir>/registry`, which it holds for itself until it stops. */
export async function startRegistry(config: RegistryConfig, log: Logger): Promise<RunningService> {
  const teardown = new Teardown();
  try {
    const folder = path.join(config.dataDir, 'registry');
    const lock = lockFolder(folder);
    teardown.add(() => lock.release());
    const blobs = await LocalBlobStore.open(path.join(folder, 'blobs'));
    const database = await openDatabase<Schema>(path.join(folder, 'registry.db'), migrations);
    teardown.add(() => database.destroy());
    const server = await startServer({
      host: config.host,
      port: servicePort(config, 'registry'),
      messageBytesMax: config.messageBytesMax,
      log,
      metrics: new Metrics('registry'),
      implementations: [registryService(new ModelStore(database, blobs), blobs)],
    });
    teardown.add(() => server.stop(config.stopGraceMs));
    server.setServing(true);
    return { port: server.port, stop: () => teardown.run() };
  } catch (error) {
    await teardown.run();
    throw error;
  }
}
