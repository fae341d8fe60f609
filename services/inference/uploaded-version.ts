import { digestOf } from '../platform/blob-store.js';
import { invalidField, quote } from '../platform/errors.js';
import type { VersionDescriptor } from './registry.js';

const fileName = /^([1-9]\d{0,14})\/(network\.json|model\.safetensors|signature\.json|pipeline\.json|model\.onnx)$/;

/** Versions made of files that came with RepositoryModelLoad, newest first. */
export function uploadedVersions(files: ReadonlyMap<string, Uint8Array>): VersionDescriptor[] {
  const byNumber = new Map<number, Map<string, Uint8Array>>();
  for (const [path, bytes] of files) {
    const [, number, name] = fileName.exec(path) ?? [];
    if (!number || !name) {
      const form =
        '`file:VERSION/NAME` where NAME is model.onnx, or one of network.json, model.safetensors, signature.json and pipeline.json';
      throw invalidField(
        `parameters[${quote(`file:${path}`)}]`,
        `Expected ${form} but received ${quote(`file:${path}`)}.`,
      );
    }
    const version = byNumber.get(Number(number)) ?? new Map<string, Uint8Array>();
    byNumber.set(Number(number), version.set(name, bytes));
  }
  return [...byNumber].sort(([a], [b]) => b - a).map(([number, contents]) => describe(number, contents));
}

function describe(number: number, contents: ReadonlyMap<string, Uint8Array>): VersionDescriptor {
  const digests = new Map([...contents].map(([name, bytes]) => [name, digestOf(bytes)]));
  const artifacts = new Map(
    [...contents].map(([name, bytes]) => [name, { digest: digests.get(name)!, sizeBytes: bytes.length }]),
  );
  const lines = [...digests].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, digest]) => `${name} ${digest}\n`);
  const byDigest = new Map([...contents].map(([name, bytes]) => [digests.get(name)!, bytes]));
  return { number, digest: digestOf(lines.join('')), artifacts, contents: byDigest };
}
