import { parseDocument } from 'yaml';
import type { FitPipelineRequest } from '../../proto/gen/millrace/v1/FitPipelineRequest.js';
import type { TrainingSpec } from '../../proto/gen/millrace/v1/TrainingSpec.js';
import { describeMessage, type FieldViolation } from '../../proto/index.js';
import { PlainMessageReader } from './plain-message.js';

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
  return readMessage(text, 'millrace.v1.TrainingSpec') as TrainingSpec;
}

/** Reads what to fit a pipeline on, and which, in the same way; the rest is checked by the preprocessing service. */
export function readPipelineFit(text: string): FitPipelineRequest {
  return readMessage(text, 'millrace.v1.FitPipelineRequest') as FitPipelineRequest;
}

function readMessage(text: string, name: 'millrace.v1.TrainingSpec' | 'millrace.v1.FitPipelineRequest'): object {
  const document = parseDocument(text);
  if (document.errors.length > 0) {
    throw new InvalidSpecError(document.errors.map(({ message }) => ({ field: '', description: message.trim() })));
  }
  const reader = new PlainMessageReader();
  const message = reader.read(document.toJS(), describeMessage(name));
  if (reader.violations.length > 0) {
    throw new InvalidSpecError(reader.violations);
  }
  return message;
}
