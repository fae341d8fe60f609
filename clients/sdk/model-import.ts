import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { ModelVersion__Output as ModelVersion } from '../../proto/gen/millrace/v1/ModelVersion.js';
import type { contracts, RpcClient } from '../../proto/index.js';
import { RpcError } from '../../proto/index.js';

type RegistryClient = RpcClient<(typeof contracts.registry)['clientType']>;

/** Files that are no model. */
export class InvalidModelError extends Error {
  override readonly name = 'InvalidModelError';
}

const ownFiles = ['model.safetensors', 'network.json', 'pipeline.json', 'signature.json'];
const onnxFile = 'model.onnx';
/** What else belongs to a version where it is there. */
const moreFiles = ['pipeline.json', 'signature.json', 'report.json'];
const chunkBytes = 1024 * 1024;

interface ModelFile {
  /** As the version names it. */
  artifact: string;
  file: string;
}

/**
 * What a version is made of: one ONNX file under any name; or a folder with `model.onnx`, or with the four files of a trained
 * version. Other files of the folder stay where they are.
 */
export async function findModelFiles(source: string): Promise<ModelFile[]> {
  if (!(await stat(source)).isDirectory()) {
    if (!source.endsWith('.onnx')) {
      throw new InvalidModelError(`Expected a file that ends in .onnx, or a folder, but received ${source}.`);
    }
    return [{ artifact: onnxFile, file: source }];
  }
  const found = new Set(await readdir(source));
  const needed = found.has(onnxFile) ? [onnxFile] : ownFiles;
  const missing = needed.filter((name) => !found.has(name));
  if (missing.length > 0) {
    const message = `Expected ${source} to hold ${onnxFile}, or ${ownFiles.join(', ')}, but ${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} missing.`;
    throw new InvalidModelError(message);
  }
  const names = new Set([...needed, ...moreFiles.filter((name) => found.has(name))]);
  return [...names].map((artifact) => ({ artifact, file: path.join(source, artifact) }));
}

/**
 * Uploads a model's files and makes a version of them; the model too, where it is missing. The same files again are the same
 * version again.
 *
 * @param parent `models/NAME`
 * @param aliases that are to point to the version
 */
export async function importModel(
  registry: RegistryClient,
  parent: string,
  source: string,
  aliases: readonly string[],
): Promise<ModelVersion> {
  const files = await findModelFiles(source);
  await createModel(registry, parent);
  const artifacts = [];
  for (const { artifact, file } of files) {
    artifacts.push({ path: artifact, digest: await upload(registry, file) });
  }
  const lines = artifacts.map(({ path, digest }) => `${path} ${digest}\n`).sort();
  const requestId = `import ${createHash('sha256').update(lines.join('')).digest('hex')}`;
  const made = await registry.createModelVersion({
    parent,
    modelVersion: { artifacts },
    aliases: [...aliases],
    requestId,
  });
  // A version that was there already keeps the aliases it had.
  const missing = aliases.filter((alias) => !made.aliases.includes(alias));
  for (const alias of missing) {
    await registry.setModelAlias({ name: parent, alias, version: Number(made.name.split('/').at(-1)) });
  }
  return missing.length > 0 ? registry.getModelVersion({ name: made.name }) : made;
}

async function createModel(registry: RegistryClient, name: string): Promise<void> {
  try {
    await registry.createModel({ modelId: name.slice(name.indexOf('/') + 1) });
  } catch (error) {
    if (!(error instanceof RpcError) || error.code !== 'ALREADY_EXISTS') {
      throw error;
    }
  }
}

/** @returns the digest */
async function upload(registry: RegistryClient, file: string): Promise<string> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: chunkBytes })) {
    hash.update(chunk);
    sizeBytes += (chunk as Buffer).length;
  }
  const digest = `sha256:${hash.digest('hex')}`;
  async function* parts() {
    yield { blob: { digest, sizeBytes } };
    for await (const chunk of createReadStream(file, { highWaterMark: chunkBytes })) {
      yield { chunk: chunk as Buffer };
    }
  }
  await registry.uploadBlob(parts());
  return digest;
}
