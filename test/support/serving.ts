import path from 'node:path';
import { pino } from 'pino';
import { expect, vi } from 'vitest';
import { contracts, createClient, type RpcClient } from '../../proto/index.js';
import { readConfig as inferenceConfig } from '../../services/inference/config.js';
import { type RunningInference, startInference } from '../../services/inference/service.js';
import type { RunningService } from '../../services/platform/main.js';
import { readConfig as registryConfig } from '../../services/registry/config.js';
import { startRegistry } from '../../services/registry/service.js';
import build from './build.js';
import { root } from './mesh.js';
import { type RegistryClient, registryClient } from './published-model.js';

export type InferenceClient = RpcClient<(typeof contracts.inference)['clientType']>;
export type PredictionClient = RpcClient<(typeof contracts.prediction)['clientType']>;

/** For events that no stream tells. */
const patience = { timeout: 20_000, interval: 10 };

/** A worker as built: from the sources one takes six times the processor time to start. */
const builtWorker = { file: path.join(root, 'dist/services/inference/worker.js'), args: [] };

export const silentLog = pino({ level: 'silent' });

/** A real registry and a real inference service that follows it, in this process. */
export class Serving {
  private constructor(
    private readonly dataDir: string,
    private registryService: RunningService,
    readonly service: RunningInference,
    public registry: RegistryClient,
    readonly inference: InferenceClient,
    readonly prediction: PredictionClient,
  ) {}

  /** @param settings of the inference service, for example `--max-in-flight=2` */
  static async start(dataDir: string, ...settings: string[]): Promise<Serving> {
    return Serving.#follow(dataDir, await runRegistry(dataDir, 0), settings);
  }

  static async #follow(dataDir: string, registryService: RunningService, settings: string[]): Promise<Serving> {
    await build();
    const args = [
      `--data-dir=${dataDir}`,
      '--port=0',
      '--metrics-port=0',
      '--workers=1',
      '--log-level=silent',
      `--registry-address=127.0.0.1:${registryService.port}`,
      ...settings,
    ];
    const service = await startInference(inferenceConfig(args, {}), silentLog, builtWorker);
    const address = `127.0.0.1:${service.port}`;
    return new Serving(
      dataDir,
      registryService,
      service,
      registryClient(registryService.port),
      createClient(contracts.inference, address),
      createClient(contracts.prediction, address),
    );
  }

  /** An inference service that has never seen its registry, until `startRegistry`. */
  static async startAlone(dataDir: string): Promise<Serving> {
    const reserved = await runRegistry(dataDir, 0);
    await reserved.stop();
    return Serving.#follow(dataDir, reserved, []);
  }

  get registryPort(): number {
    return this.registryService.port;
  }

  /** Ends the registry; `startRegistry` brings it back on the same port. */
  async stopRegistry(): Promise<void> {
    this.registry.close();
    await this.registryService.stop();
  }

  async startRegistry(): Promise<void> {
    this.registryService = await runRegistry(this.dataDir, this.registryService.port);
    this.registry = registryClient(this.registryService.port);
  }

  /** The same registry on a port that nobody follows: what it changes is not seen as it happens. */
  async changeUnseen(change: (registry: RegistryClient) => Promise<void>): Promise<void> {
    const service = await runRegistry(this.dataDir, 0);
    const registry = registryClient(service.port);
    await change(registry);
    registry.close();
    await service.stop();
  }

  /** Waits until the version that answers to `asked` is `number`. */
  async serves(model: string, asked: string, number: number): Promise<void> {
    await vi.waitFor(async () => expect(await this.version(model, asked)).toBe(String(number)), patience);
  }

  /** Waits until nothing answers to `asked`. */
  async stopsServing(model: string, asked: string): Promise<void> {
    const question = { name: model, version: asked };
    await vi.waitFor(async () => expect(await this.inference.modelReady(question)).toEqual({ ready: false }), patience);
  }

  /** The version that answers to `asked`, by a prediction of one row of zeros. */
  async version(model: string, asked: string): Promise<string | null> {
    const metadata = await this.inference.modelMetadata({ name: model, version: asked }).catch(() => null);
    if (!metadata) {
      return null;
    }
    const [, width] = metadata.inputs[0]!.shape;
    const answer = await this.inference.modelInfer({
      modelName: model,
      modelVersion: asked,
      inputs: [{ name: metadata.inputs[0]!.name, datatype: 'FP32', shape: [1, width!] }],
      rawInputContents: [Buffer.alloc(width! * 4)],
    });
    return answer.modelVersion;
  }

  async stop(): Promise<void> {
    this.inference.close();
    this.prediction.close();
    this.registry.close();
    await this.service.stop();
    await this.registryService.stop();
  }
}

function runRegistry(dataDir: string, port: number): Promise<RunningService> {
  const args = [`--data-dir=${dataDir}`, `--port=${port}`, '--stop-grace-ms=1000'];
  return startRegistry(registryConfig(args, {}), silentLog);
}
