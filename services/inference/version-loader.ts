import { readFile } from 'node:fs/promises';
import { EngineError, Network } from '../../native/index.js';
import { preparedPath } from './artifact-cache.js';
import type { Executable } from './executable.js';
import type { OutputMeaning } from './labelled-answer.js';
import { LoadedVersion, type LoadedVersionLimits, type LoadedVersionParts } from './loaded-version.js';
import { BrokenArtifact, parseNetworkFile, parseSignature } from './model-files.js';
import { NetworkExecutable, toBytes } from './network-executable.js';
import type { NetworkFile } from './network-file.js';
import { loadOnnx } from './onnx/load-onnx.js';
import { parsePipeline } from './record-pipeline.js';
import { rowBytes } from './tensor.js';
import type { VersionFiles } from './worker-commands.js';

/** Makes a version that can answer out of its files. Fails with `BrokenArtifact` when one is not what it should be. */
export async function loadVersion(version: VersionFiles, limits: LoadedVersionLimits): Promise<LoadedVersion> {
  const parts = version.files.has('model.onnx') ? await loadGraph(version) : await loadNetwork(version);
  const { model, number, digest } = version;
  return new LoadedVersion({ model, number, digest, ...parts }, limits);
}

type LoadedParts = Pick<LoadedVersionParts, 'executable' | 'transform' | keyof OutputMeaning>;

async function loadNetwork(version: VersionFiles): Promise<LoadedParts> {
  const spec = parseNetworkFile(await readArtifact(version, 'network.json'));
  const signature = parseSignature(await readArtifact(version, 'signature.json'), spec);
  const transform = parsePipeline(await readArtifact(version, 'pipeline.json'), signature);
  const network = await openWeights(spec, version);
  try {
    warm(network);
  } catch (error) {
    network.dispose();
    throw error;
  }
  const parts = { ...signature, rowWork: network.rowWork, sizeBytes: network.sizeBytes };
  const { classes, multiLabel, numbers } = signature;
  return { executable: new NetworkExecutable(network, parts), transform, classes, multiLabel, numbers };
}

async function loadGraph(version: VersionFiles): Promise<LoadedParts> {
  const executable = loadOnnx(await readArtifact(version, 'model.onnx'));
  try {
    warmGraph(executable);
  } catch (error) {
    executable.dispose();
    throw error;
  }
  return { executable, transform: null, classes: null, multiLabel: false, numbers: null };
}

function pathOf({ files }: VersionFiles, name: string): string {
  const file = files.get(name);
  if (file === undefined) {
    throw new BrokenArtifact(`the version has no ${name}`);
  }
  return file;
}

async function readArtifact(version: VersionFiles, name: string): Promise<Uint8Array> {
  // No Buffer: its `slice` does not copy, unlike that of every other array.
  const { buffer, byteOffset, byteLength } = await readFile(pathOf(version, name));
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Off the event loop; what is made ready of the weights lies beside them, mapped once for all workers. */
async function openWeights({ inputs, layers }: NetworkFile, version: VersionFiles): Promise<Network> {
  const file = pathOf(version, 'model.safetensors');
  try {
    return await Network.openSafetensors({ inputs, layers }, file, { preparedPath: preparedPath(file) });
  } catch (error) {
    if (error instanceof EngineError && error.code === 'INVALID_ARGUMENT') {
      throw new BrokenArtifact(`model.safetensors does not fit network.json: ${error.message}`, { cause: error });
    }
    throw error;
  }
}

/** One prediction brings code and weights into the caches, so that no caller waits for it, and shows that there is an answer. */
function warm(network: Network): void {
  const output = new Float32Array(network.outputs);
  network.predictInto(toBytes(new Float32Array(network.inputs)), 1, toBytes(output));
  if (!output.every(Number.isFinite)) {
    throw new BrokenArtifact('the network answers a row of zeros with numbers that are not finite');
  }
}

/** As `warm`; a graph may answer zeros with what it likes. Texts have no zeros to be asked with. */
function warmGraph(executable: Executable): void {
  const widths = executable.inputs.map(rowBytes);
  if (widths.every((width) => width !== null)) {
    executable.execute(
      widths.map((width) => new Uint8Array(width)),
      1,
    );
  }
}
