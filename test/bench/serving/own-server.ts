import { rmSync } from 'node:fs';
import path from 'node:path';
import { contracts, createClient, type RpcClient } from '../../../proto/index.js';
import { readConfig } from '../../../services/inference/config.js';
import { root } from '../../support/mesh.js';
import { type Files, publish, type RegistryClient, registryClient } from '../../support/published-model.js';
import { tempFolder } from '../../support/temp-folder.js';
import { ServerProcess } from './server-process.js';

export type InferenceClient = RpcClient<(typeof contracts.inference)['clientType']>;

const ready = /millrace ready .*"port":(\d+)/;

function service(name: string, args: string[], nodeArgs: string[]): Promise<ServerProcess> {
  const main = path.join(root, `dist/services/${name}/main.js`);
  return ServerProcess.start({
    command: process.execPath,
    args: [...nodeArgs, main, '--port=0', '--log-level=warn', ...args],
    ready,
  });
}

/** A registry and the inference service that follows it, as processes. */
export class OwnServer {
  readonly port: number;
  readonly registry: RegistryClient;
  readonly inference: InferenceClient;

  private constructor(
    private readonly registryProcess: ServerProcess,
    private readonly inferenceProcess: ServerProcess,
    private readonly dataDir: string,
  ) {
    this.registry = registryClient(Number(registryProcess.readyGroups[0]));
    this.port = Number(inferenceProcess.readyGroups[0]);
    this.inference = createClient(contracts.inference, `127.0.0.1:${this.port}`);
  }

  /**
   * @param settings of the inference service
   * @param nodeArgs of its Node
   */
  static async start(workers: number, settings: string[] = [], nodeArgs: string[] = []): Promise<OwnServer> {
    const dataDir = tempFolder();
    const registry = await service('registry', [`--data-dir=${dataDir}`], []);
    const address = `127.0.0.1:${registry.readyGroups[0]}`;
    const args = [`--registry-address=${address}`, '--metrics-port=0', `--data-dir=${dataDir}`, ...settings];
    const inference = await service('inference', [...args, ...workerSettings(workers)], nodeArgs);
    return new OwnServer(registry, inference, dataDir);
  }

  /** Processes that serve; the registry is none of them. */
  get pids(): number[] {
    return this.inferenceProcess.pids;
  }

  /** Publishes the files as the next version, which answers from now on when the alias is `champion`. @returns its number */
  async publish(model: string, files: Files, aliases: string[] = ['champion']): Promise<number> {
    const version = await publish(this.registry, model, files, aliases);
    await this.untilReady(model, String(version));
    return version;
  }

  /** No stream tells when a version answers. */
  async untilReady(name: string, version: string): Promise<void> {
    while (!(await this.inference.modelReady({ name, version })).ready) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async stop(): Promise<void> {
    this.inference.close();
    this.registry.close();
    await this.inferenceProcess.stop();
    await this.registryProcess.stop();
    rmSync(this.dataDir, { recursive: true });
  }
}

/** Whether this build can serve with several processes. */
export function hasWorkers(): boolean {
  try {
    readConfig(['--workers=1'], {});
    return true;
  } catch {
    return false;
  }
}

function workerSettings(workers: number): string[] {
  return hasWorkers() ? [`--workers=${workers}`] : [];
}
