import { parseDocument, stringify } from 'yaml';
import type { FitPipelineRequest } from '../../proto/gen/millrace/v1/FitPipelineRequest.js';
import type { PipelineSpec } from '../../proto/gen/millrace/v1/PipelineSpec.js';
import type { TrainingSpec } from '../../proto/gen/millrace/v1/TrainingSpec.js';
import type { TuneSpec } from '../../proto/gen/millrace/v1/TuneSpec.js';
import { describeMessage, type FieldViolation } from '../../proto/index.js';
import { PlainMessageReader } from './plain-message.js';
import { writePlainMessage } from './plain-writer.js';

/** A spec that cannot be sent: all that is wrong with it, at once. */
export class InvalidSpecError extends Error {
  override readonly name = 'InvalidSpecError';

  constructor(readonly fieldViolations: FieldViolation[]) {
    super(fieldViolations.map(({ description }) => description).join('\n'));
  }
}

/**
 * Reads a training spec from YAML or JSON. Keys and types are checked here, against the contract itself; ranges, and whether
 * spec and dataset fit together, are checked by the training service.
 */
export function readTrainingSpec(text: string): TrainingSpec {
  return toMessage(parseText(text), 'millrace.v1.TrainingSpec') as TrainingSpec;
}

/** A training spec as YAML, which `readTrainingSpec` reads. */
export function writeTrainingSpec(spec: TrainingSpec): string {
  return stringify(writePlainMessage(spec, describeMessage('millrace.v1.TrainingSpec')), { lineWidth: 120 });
}

/** Reads a training spec with what is searched of it under `tune`, in the same way. */
export function readTuningSpec(text: string): { spec: TrainingSpec; tune: TuneSpec } {
  const document = parseText(text);
  const isMapping = typeof document === 'object' && document !== null && !Array.isArray(document);
  const { tune, ...spec } = (isMapping ? document : {}) as Record<string, unknown>;
  const reader = new PlainMessageReader();
  const result = {
    spec: reader.read(isMapping ? spec : document, describeMessage('millrace.v1.TrainingSpec')) as TrainingSpec,
    tune: reader.read(tune, describeMessage('millrace.v1.TuneSpec'), 'tune') as TuneSpec,
  };
  if (reader.violations.length > 0) {
    throw new InvalidSpecError(reader.violations);
  }
  return result;
}

/** A training spec and what is searched of it as YAML, which `readTuningSpec` reads. */
export function writeTuningSpec(spec: TrainingSpec, tune: TuneSpec): string {
  const plain = {
    ...writePlainMessage(spec, describeMessage('millrace.v1.TrainingSpec')),
    tune: writePlainMessage(tune, describeMessage('millrace.v1.TuneSpec')),
  };
  return stringify(plain, { lineWidth: 120 });
}

/**
 * Reads what to fit a pipeline on, and which, in the same way; the rest is checked by the preprocessing service. The file may also be a
 * training spec, which says all of it too, or a pipeline alone (`columns` and `label`): then the dataset is empty, and nothing is split.
 */
export function readPipelineFit(text: string): FitPipelineRequest {
  const document = parseText(text);
  const keys = typeof document === 'object' && document !== null ? Object.keys(document) : [];
  if (keys.includes('columns') || (keys.includes('label') && !keys.includes('spec'))) {
    return { dataset: '', spec: toMessage(document, 'millrace.v1.PipelineSpec') as PipelineSpec };
  }
  if (keys.includes('pipeline') && !keys.includes('spec')) {
    const { dataset, pipeline, split } = toMessage(document, 'millrace.v1.TrainingSpec') as TrainingSpec;
    return { dataset, spec: pipeline, split };
  }
  return toMessage(document, 'millrace.v1.FitPipelineRequest') as FitPipelineRequest;
}

type SpecMessage = 'millrace.v1.TrainingSpec' | 'millrace.v1.FitPipelineRequest' | 'millrace.v1.PipelineSpec';

function parseText(text: string): unknown {
  const document = parseDocument(text);
  if (document.errors.length > 0) {
    throw new InvalidSpecError(document.errors.map(({ message }) => ({ field: '', description: message.trim() })));
  }
  return document.toJS();
}

function toMessage(document: unknown, name: SpecMessage): object {
  const reader = new PlainMessageReader();
  const message = reader.read(document, describeMessage(name));
  if (reader.violations.length > 0) {
    throw new InvalidSpecError(reader.violations);
  }
  return message;
}
