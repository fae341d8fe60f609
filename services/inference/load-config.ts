import { z } from 'zod';
import { integer } from '../platform/config.js';
import { invalidField, quote, ServiceError } from '../platform/errors.js';
import type { Deployment } from './registry.js';

/** Which versions of a model are loaded. */
export type VersionPolicy = { latest: number } | { specific: readonly number[] };

/** What this server does otherwise than the registry says. */
export interface LoadOverrides {
  versions: VersionPolicy | null;
  apply(deployment: Deployment): Deployment;
}

export const noOverrides: LoadOverrides = { versions: null, apply: (deployment) => deployment };

const versionsMax = 1_000;
const rows = integer(1, 10_000_000);
const count = integer(0, 2 ** 31);
const flag = z.preprocess((value) => (value === 'true' ? true : value === 'false' ? false : value), z.boolean());

const modelConfig = z.strictObject({
  name: z.string().optional(),
  backend: z.enum(['', 'millrace', 'onnxruntime']).optional(),
  platform: z.enum(['', 'millrace_dense', 'onnx_onnxv1', 'onnxruntime_onnx']).optional(),
  maxBatchSize: rows.optional(),
  versionPolicy: z
    .union([
      z.strictObject({ latest: z.strictObject({ numVersions: integer(1, versionsMax).default(1) }) }),
      z.strictObject({ all: z.strictObject({}) }),
      z.strictObject({ specific: z.strictObject({ versions: z.array(integer(1, 2 ** 53)).min(1) }) }),
    ])
    .optional(),
  dynamicBatching: z
    .strictObject({
      preferredBatchSize: z.array(rows).default([]),
      maxQueueDelayMicroseconds: count.default(0),
      preserveOrdering: z.literal(false).optional(),
      priorityQueuePolicy: z.strictObject({}).optional(),
      priorityLevels: integer(0, 100).default(0),
      defaultPriorityLevel: integer(0, 100).default(0),
      defaultQueuePolicy: z
        .strictObject({
          timeoutAction: z.literal('REJECT').optional(),
          defaultTimeoutMicroseconds: count.default(0),
          allowTimeoutOverride: flag.default(false),
          maxQueueSize: count.default(0),
        })
        .optional(),
    })
    .optional(),
  responseCache: z.strictObject({ enable: flag.default(false) }).optional(),
});

/** Of a model whose registry gives no size, when a configuration asks for a cache. */
const cacheBytesDefault = 64 * 1024 * 1024;

/** Reads the ModelConfig that came with RepositoryModelLoad. What cannot be honoured is refused by name. */
export function parseLoadConfig(model: string, text: string): LoadOverrides {
  if (text === '') {
    return noOverrides;
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw invalidField('parameters["config"]', `Expected \`config\` to be JSON: ${(error as Error).message}.`);
  }
  const result = modelConfig.safeParse(toCamelCase(content));
  if (!result.success) {
    const reasons = result.error.issues.map(({ path, message }) => `${path.join('.') || 'config'}: ${message}`);
    const hint = 'Supported are max_batch_size, dynamic_batching, response_cache and version_policy.';
    throw invalidField(
      'parameters["config"]',
      `The configuration of '${model}' cannot be honoured. ${reasons.join('; ')}. ${hint}`,
    );
  }
  const config = result.data;
  if (config.name !== undefined && config.name !== '' && config.name !== model) {
    const message = `Expected \`name\` in \`config\` to be ${quote(model)} but received ${quote(config.name)}.`;
    throw invalidField('parameters["config"]', message);
  }
  checkPriorities(config.dynamicBatching);
  return { versions: toPolicy(config.versionPolicy), apply: (deployment) => override(deployment, config) };
}

type ModelConfig = z.output<typeof modelConfig>;

function checkPriorities(batching: ModelConfig['dynamicBatching']): void {
  const { priorityLevels = 0, defaultPriorityLevel = 0 } = batching ?? {};
  const isFit = priorityLevels === 0 ? defaultPriorityLevel === 0 : defaultPriorityLevel >= 1;
  if (!isFit || defaultPriorityLevel > priorityLevels) {
    const message = `Expected \`default_priority_level\` to be one of ${priorityLevels} levels but received ${defaultPriorityLevel}.`;
    throw new ServiceError('INVALID_ARGUMENT', 'INVALID_FIELD', message);
  }
}

function toPolicy(policy: ModelConfig['versionPolicy']): VersionPolicy | null {
  if (!policy) {
    return null;
  }
  if ('latest' in policy) {
    return { latest: policy.latest.numVersions };
  }
  return 'all' in policy ? { latest: versionsMax } : { specific: policy.specific.versions };
}

function override(deployment: Deployment, config: ModelConfig): Deployment {
  const { maxBatchSize, dynamicBatching, responseCache } = config;
  const batching = { ...deployment.batching };
  if (maxBatchSize !== undefined) {
    batching.rowsMax = maxBatchSize;
  }
  if (dynamicBatching) {
    const { defaultQueuePolicy: policy } = dynamicBatching;
    Object.assign(batching, {
      preferredRows: dynamicBatching.preferredBatchSize.toSorted((a, b) => a - b),
      queueDelayUsMax: dynamicBatching.maxQueueDelayMicroseconds,
      priorityLevels: dynamicBatching.priorityLevels,
      defaultPriority: dynamicBatching.defaultPriorityLevel,
    });
    if (policy) {
      batching.timeoutUs = policy.defaultTimeoutMicroseconds;
      batching.timeoutOverride = policy.allowTimeoutOverride;
      batching.queueRequestsMax = policy.maxQueueSize;
    }
  }
  const cacheBytes = responseCache?.enable ? deployment.responseCacheBytes || cacheBytesDefault : 0;
  return { ...deployment, batching, responseCacheBytes: responseCache ? cacheBytes : deployment.responseCacheBytes };
}

/** protobuf's JSON has both spellings. */
export function toCamelCase(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(toCamelCase);
  }
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  const camel = (key: string) => key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [camel(key), toCamelCase(part)]));
}
