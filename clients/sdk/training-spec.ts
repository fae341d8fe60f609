import { stringify } from 'yaml';
import type { FitPipelineRequest } from '../../proto/gen/millrace/v1/FitPipelineRequest.js';
import type { PipelineSpec } from '../../proto/gen/millrace/v1/PipelineSpec.js';
import type { TrainingSpec } from '../../proto/gen/millrace/v1/TrainingSpec.js';
import type { TuneSpec } from '../../proto/gen/millrace/v1/TuneSpec.js';
import { describeMessage } from '../../proto/index.js';
import { PlainMessageReader } from './plain-message.js';
import { writePlainMessage } from './plain-writer.js';
import { type RequestFields, SpecText } from './spec-text.js';

/**
 * Reads a training spec from YAML or JSON. Keys and types are checked here, against the contract itself; ranges, and whether
 * spec and dataset fit together, are checked by the training service. @throws InvalidSpecError
 */
export function readTrainingSpec(text: string | SpecText): TrainingSpec {
  return toMessage(parsed(text), 'millrace.v1.TrainingSpec') as TrainingSpec;
}

/** A training spec as YAML, which `readTrainingSpec` reads. */
export function writeTrainingSpec(spec: TrainingSpec): string {
  return stringify(writePlainMessage(spec, describeMessage('millrace.v1.TrainingSpec')), { lineWidth: 120 });
}

/** Reads a training spec with what is searched of it under `tune`, in the same way. */
export function readTuningSpec(text: string | SpecText): { spec: TrainingSpec; tune: TuneSpec } {
  const source = parsed(text);
  const document = source.value;
  const isMapping = typeof document === 'object' && document !== null && !Array.isArray(document);
  const { tune, ...spec } = (isMapping ? document : {}) as Record<string, unknown>;
  const reader = new PlainMessageReader();
  const result = {
    spec: reader.read(isMapping ? spec : document, describeMessage('millrace.v1.TrainingSpec')) as TrainingSpec,
    tune: reader.read(tune, describeMessage('millrace.v1.TuneSpec'), 'tune') as TuneSpec,
  };
  if (reader.violations.length > 0) {
    throw source.refusal(reader.violations, result);
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
export function readPipelineFit(text: string | SpecText): FitPipelineRequest {
  const source = parsed(text);
  const fields = pipelineFields(source);
  if (fields === pipelineAlone) {
    return { dataset: '', spec: toMessage(source, 'millrace.v1.PipelineSpec') as PipelineSpec };
  }
  if (fields === withinTrainingSpec) {
    const { dataset, pipeline, split, sampleWeight } = toMessage(source, 'millrace.v1.TrainingSpec') as TrainingSpec;
    return { dataset, spec: pipeline, split, sampleWeight };
  }
  return toMessage(source, 'millrace.v1.FitPipelineRequest') as FitPipelineRequest;
}

const pipelineAlone: RequestFields = { spec: '' };
const withinTrainingSpec: RequestFields = {
  dataset: 'dataset',
  spec: 'pipeline',
  split: 'split',
  sample_weight: 'sample_weight',
};
const wholeRequest: RequestFields = { ...withinTrainingSpec, spec: 'spec' };

/** Where `FitPipelineRequest` is written in a file that `readPipelineFit` reads. */
export function pipelineFields({ value }: SpecText): RequestFields {
  const keys = typeof value === 'object' && value !== null ? Object.keys(value) : [];
  if (keys.includes('columns') || (keys.includes('label') && !keys.includes('spec'))) {
    return pipelineAlone;
  }
  return keys.includes('pipeline') && !keys.includes('spec') ? withinTrainingSpec : wholeRequest;
}

type SpecMessage = 'millrace.v1.TrainingSpec' | 'millrace.v1.FitPipelineRequest' | 'millrace.v1.PipelineSpec';

function parsed(text: string | SpecText): SpecText {
  return typeof text === 'string' ? new SpecText(text) : text;
}

function toMessage(source: SpecText, name: SpecMessage): object {
  const reader = new PlainMessageReader();
  const message = reader.read(source.value, describeMessage(name));
  if (reader.violations.length > 0) {
    throw source.refusal(reader.violations, message);
  }
  return message;
}
