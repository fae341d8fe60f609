import { invalidField, quote } from '../platform/errors.js';
import { toCamelCase } from './load-config.js';

/** A ModelConfig in the spelling of protobuf's JSON, `maxBatchSize`. */
export type Stated = Readonly<Record<string, unknown>>;

/** What a configuration may repeat but not change. */
const facts = ['input', 'output', 'platform', 'backend', 'instanceGroup', 'modelTransactionPolicy'];

/** What other servers have: unset, they ask for nothing. */
const foreign = [
  ...['defaultModelFilename', 'ccModelFilenames', 'metricTags', 'optimization', 'sequenceBatching', 'parameters'],
  ...[
    'ensembleScheduling',
    'modelWarmup',
    'modelOperations',
    'batchInput',
    'batchOutput',
    'modelRepositoryAgents',
    'runtime',
  ],
];

/** Spellings that Triton has for what is served here by another name. */
const synonyms: Record<string, string> = { onnxruntime_onnx: 'onnx_onnxv1', onnxruntime: 'millrace' };

/**
 * A configuration without what it only repeats: clients change one thing of the ModelConfig that they were given, and send all
 * of it back. What it says otherwise than the model is refused by name.
 *
 * @param served configurations of the versions that are served; empty: there is nothing to compare with
 */
export function withoutRepeated(text: string, served: readonly Stated[]): string {
  const config = parseObject(text);
  if (!config) {
    return text;
  }
  for (const key of foreign.filter((name) => isUnset(config[name]))) {
    delete config[key];
  }
  for (const key of facts.filter((name) => name in config)) {
    const given = config[key];
    if (isUnset(given) || served.some((stated) => agrees(given, stated[key]))) {
      delete config[key];
    } else if (served.length > 0) {
      const name = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      const message = `Expected \`${name}\` in \`config\` to be as the model has it, ${JSON.stringify(served[0]![key])}, but received ${quote(given)}.`;
      throw invalidField('parameters["config"]', message);
    }
  }
  return JSON.stringify(config);
}

/** Null: it is for the reader of the configuration to say what is wrong with it. */
function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (toCamelCase(value) as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

/** As protobuf has it: a default says nothing. */
function isUnset(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) {
    return Object.values(value).every((part) => !Array.isArray(value) && isUnset(part));
  }
  return !value || ['0', 'FORMAT_NONE', 'TYPE_INVALID', 'KIND_AUTO'].includes(String(value));
}

function agrees(given: unknown, stated: unknown): boolean {
  if (isUnset(given)) {
    return true;
  }
  if (Array.isArray(given)) {
    return Array.isArray(stated) && given.length === stated.length && given.every((part, i) => agrees(part, stated[i]));
  }
  if (typeof given === 'object') {
    const has = (stated ?? {}) as Stated;
    return Object.entries(given as object).every(([key, part]) => agrees(part, has[key]));
  }
  // 64-bit integers are texts in protobuf's JSON.
  return String(given) === String(stated) || synonyms[String(given)] === stated;
}
