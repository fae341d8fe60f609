import { EngineError, Network } from '../../native/index.js';
import type { Admission } from './admission.js';
import { ArtifactDownload } from './artifact-download.js';
import { LoadedVersion } from './loaded-version.js';
import { BrokenArtifact, type NetworkFile, parseNetworkFile, parseSignature } from './model-files.js';
import { NetworkExecutable, type PredictingNetwork } from './network-executable.js';
import { parsePipeline } from './record-pipeline.js';
import type { Registry, VersionDescriptor } from './registry.js';

export interface LoaderOptions {
  registry: Registry;
  artifactBytesMax: number;
  batchRowsMax: number;
  admission: Admission;
}

/** Versions that are in memory twice, as file and as network, at one time. */
const loadsAtOnce = 2;

/** Makes versions that can answer out of the registry's files, off the serving path. */
export class VersionLoader {
  #loading = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(private readonly options: LoaderOptions) {}

  /** Fails with `BrokenArtifact` when a file is not what it should be. */
  async load(model: string, descriptor: VersionDescriptor, signal: AbortSignal): Promise<LoadedVersion> {
    await this.#turn();
    try {
      signal.throwIfAborted();
      return await this.#load(model, descriptor, signal);
    } finally {
      this.#loading--;
      this.#waiting.shift()?.();
    }
  }

  async #turn(): Promise<void> {
    while (this.#loading >= loadsAtOnce) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#loading++;
  }

  async #load(model: string, descriptor: VersionDescriptor, signal: AbortSignal): Promise<LoadedVersion> {
    const { registry, artifactBytesMax, batchRowsMax, admission } = this.options;
    const download = new ArtifactDownload(registry, descriptor, artifactBytesMax);
    const spec = parseNetworkFile(await download.file('network.json', signal));
    const signature = parseSignature(await download.file('signature.json', signal), spec);
    const transform = parsePipeline(await download.file('pipeline.json', signal), signature);
    const network = readWeights(spec, await download.file('model.safetensors', signal));
    try {
      warm(network, spec);
    } catch (error) {
      network.dispose();
      throw error;
    }
    const { number, digest } = descriptor;
    const executable = new NetworkExecutable(network, {
      ...signature,
      rowWork: rowWork(spec),
      sizeBytes: sizeBytes(spec),
    });
    return new LoadedVersion(
      { model, number, digest, executable, transform, classes: signature.classes },
      { admission, batchRowsMax },
    );
  }
}

function readWeights({ inputs, layers }: NetworkFile, bytes: Uint8Array): PredictingNetwork {
  try {
    return Network.fromSafetensors({ inputs, layers }, bytes);
  } catch (error) {
    if (error instanceof EngineError) {
      throw new BrokenArtifact(`model.safetensors does not fit network.json: ${error.message}`, { cause: error });
    }
    throw error;
  }
}

/** One prediction brings code and weights into the caches, so that no caller waits for it, and shows that there is an answer. */
function warm(network: PredictingNetwork, { inputs }: NetworkFile): void {
  const output = network.predict(new Float32Array(inputs), 1);
  if (!output.every(Number.isFinite)) {
    throw new BrokenArtifact('the network answers a row of zeros with numbers that are not finite');
  }
}

function rowWork({ inputs, layers }: NetworkFile): number {
  let work = 0;
  let width = inputs;
  for (const { units } of layers) {
    work += width * units;
    width = units;
  }
  return work;
}

function sizeBytes({ inputs, layers }: NetworkFile): number {
  let parameters = 0;
  let width = inputs;
  for (const { units } of layers) {
    parameters += (width + 1) * units;
    width = units;
  }
  return Float32Array.BYTES_PER_ELEMENT * parameters;
}
