import { digestOf, isDigest } from '../platform/blob-store.js';
import { quote, Violations } from '../platform/errors.js';
import { idRule, isId } from '../platform/resource-name.js';
import type { NewModelVersion } from './model.js';
import { checkCondition } from './promotion.js';

const artifactsMax = 1_000;
const pathPattern = /^[A-Za-z0-9._-]{1,100}$/;

/** Digest of a version: SHA-256 over one line `PATH DIGEST\n` for each artifact, in the byte order of the paths. */
export function manifestDigest(artifacts: { path: string; digest: string }[]): string {
  const lines = artifacts.map(({ path, digest }) => `${path} ${digest}\n`).sort();
  return digestOf(lines.join(''));
}

/** Refuses what cannot become a version; every violation is named in one answer. */
export function checkNewVersion(version: NewModelVersion): void {
  const violations = new Violations();
  checkArtifacts(version.artifacts, violations);
  checkMetrics(version.metrics, violations);
  checkLineage(version, violations);
  if (version.condition) {
    checkCondition(version.condition, version.metrics, violations);
  }
  for (const [i, alias] of version.aliases.entries()) {
    violations.check(isId(alias), `aliases[${i}]`, idRule, alias);
  }
  violations.check(version.requestId.length <= 100, 'request_id', 'at most 100 characters', version.requestId);
  violations.throwIfAny();
}

function checkArtifacts(artifacts: NewModelVersion['artifacts'], violations: Violations): void {
  const field = 'model_version.artifacts';
  const count = artifacts.length;
  if (!violations.check(count >= 1 && count <= artifactsMax, field, `1 to ${artifactsMax} files`, count)) {
    return;
  }
  const seen = new Set<string>();
  for (const [i, { path, digest }] of artifacts.entries()) {
    const plain = pathPattern.test(path) && path !== '.' && path !== '..';
    const rule = 'a plain file name, 1 to 100 of A-Z, a-z, 0-9, ".", "_" and "-"';
    if (violations.check(plain, `${field}[${i}].path`, rule, path) && seen.has(path)) {
      violations.add(`${field}[${i}].path`, `Expected each path once but received ${quote(path)} twice.`);
    }
    seen.add(path);
    violations.check(isDigest(digest), `${field}[${i}].digest`, '"sha256:" and 64 hex digits', digest);
  }
}

function checkMetrics(metrics: NewModelVersion['metrics'], violations: Violations): void {
  for (const [name, value] of Object.entries(metrics)) {
    const field = `model_version.metrics[${quote(name)}]`;
    violations.check(name.length >= 1 && name.length <= 100, field, 'named with 1 to 100 characters', name);
    violations.check(Number.isFinite(value), field, 'a finite number', value);
  }
}

function checkLineage({ lineage }: NewModelVersion, violations: Violations): void {
  if (!lineage) {
    return;
  }
  const digests = { dataset_digest: lineage.datasetDigest, pipeline_digest: lineage.pipelineDigest };
  for (const [name, digest] of Object.entries(digests)) {
    const rule = 'empty, or "sha256:" and 64 hex digits';
    violations.check(digest === '' || isDigest(digest), `model_version.lineage.${name}`, rule, digest);
  }
  // The spec is kept as JSON, which would turn NaN and infinity into null without a word.
  JSON.stringify(lineage.spec, (key, value: unknown) => {
    if (typeof value === 'number') {
      violations.check(Number.isFinite(value), 'model_version.lineage.spec', `finite in ${quote(key)}`, value);
    }
    return value;
  });
}
