import { rmSync } from 'node:fs';
import path from 'node:path';
import { contracts, createClient, type RpcClient } from '../../../proto/index.js';
import { root } from '../../support/mesh.js';
import { type Files, publish, type RegistryClient, registryClient } from '../../support/published-model.js';
import { tempFolder } from '../../support/temp-folder.js';
import { ServerProcess } from './server-process.js';

export type InferenceClient = RpcClient<(typeof contracts.inference)['clientType']>;

const ready = /millrace ready .*"port":(\d+)/;

export interface ServiceOptions {
  settings?: string[];
  /** Of Node. */
  nodeArgs?: string[];
  /** Is given each line that it prints. */
  onLine?: (line: string) => void;
}

/** Starts a service as built, on a free port: the first of `readyGroups`. */
export function startService(name: string, options: ServiceOptions): Promise<ServerProcess> {
  const { settings = [], nodeArgs = [], onLine } = options;
  const main = path.join(root, `dist/services/${name}/main.js`);
  return ServerProcess.start({
    command: process.execPath,
    args: [...nodeArgs, main, '--port=0', '--log-level=warn', ...settings],
    ready,
    isService: true,
    ...(onLine && { onLine }),
  });
}

/** A registry and the inference service that follows it, as processes. */
export class OwnServer {
  readonly port: number;
  readonly registry: RegistryClient;
  readonly inference: InferenceClient;

  private constructor(
    readonly registryProcess: ServerProcess,
    readonly inferenceProcess: ServerProcess,
    private readonly dataDir: string,
  ) {
    this.registry = registryClient(Number(registryProcess.readyGroups[0]));
    this.port = Number(inferenceProcess.readyGroups[0]);
    this.inference = createClient(contracts.inference, `127.0.0.1:${this.port}`);
  }

  /** @param options of the inference service */
  static async start(workers: number, options: ServiceOptions = {}): Promise<OwnServer> {
    const dataDir = tempFolder();
    const registry = await startService('registry', { settings: [`--data-dir=${dataDir}`] });
    const settings = [
      `--registry-address=127.0.0.1:${registry.readyGroups[0]}`,
      `--data-dir=${dataDir}`,
      '--metrics-port=0',
      `--workers=${workers}`,
      ...(options.settings ?? []),
    ];
    return new OwnServer(registry, await startService('inference', { ...options, settings }), dataDir);
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
