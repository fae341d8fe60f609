import type { Prediction } from '../../proto/gen/millrace/v1/Prediction.js';
import type { PredictStreamRequest__Output } from '../../proto/gen/millrace/v1/PredictStreamRequest.js';
import type { PredictStreamResponse } from '../../proto/gen/millrace/v1/PredictStreamResponse.js';
import type { Record__Output as RecordMessage } from '../../proto/gen/millrace/v1/Record.js';
import type { Value__Output as ValueMessage } from '../../proto/gen/millrace/v1/Value.js';
import { contracts, toStatusMessage } from '../../proto/index.js';
import { invalidField, quote, ServiceError } from '../platform/errors.js';
import { type CallContext, type ImplementedContract, implement } from '../platform/handler.js';
import { ResourceName } from '../platform/resource-name.js';
import type { Inference } from './inference.js';
import type { LabelledAnswer } from './labelled-answer.js';
import { inOrder } from './ordered-answers.js';
import type { RawRecord, RawValue } from './record-pipeline.js';

const modelName = new ResourceName('models/{model}');
const versionName = new ResourceName('models/{model}/versions/{version}');
const aliasName = new ResourceName('models/{model}/aliases/{alias}');

/** Answers of one stream that may be on their way at once. */
const streamedMax = 256;

/** Predictions from raw records. */
export function predictionService(inference: Inference): ImplementedContract {
  const predict = async (name: string, records: RecordMessage[], caller: CallContext) => {
    const [model, asked] = parseModel(name);
    const { version, answers } = await inference.predict(model, asked, records.map(toRecord), caller);
    return {
      modelVersion: versionName.format({ model: version.model, version: String(version.number) }),
      predictions: answers.map(toPrediction),
    };
  };
  return implement(contracts.prediction, {
    Predict: ({ model, records }, caller) => predict(model, records, caller),
    PredictStream: (requests, caller) => {
      let modelBefore = '';
      const answer = async ({ id, model, records }: PredictStreamRequest__Output): Promise<PredictStreamResponse> => {
        modelBefore = model || modelBefore;
        try {
          return { id, ...(await predict(modelBefore, records, caller)) };
        } catch (error) {
          if (!(error instanceof ServiceError)) {
            throw error;
          }
          // The other messages of the stream go on, unless nobody waits for them any more.
          caller.throwIfGone();
          return { id, error: toStatusMessage(error.code, error.message, error) };
        }
      };
      return inOrder(requests, answer, streamedMax);
    },
  });
}

/** Name of the model, and what is asked of it: nothing, a number or an alias. */
function parseModel(name: string): [model: string, asked: string] {
  const [bare, versioned, aliased] = [modelName.match(name), versionName.match(name), aliasName.match(name)];
  const model = (bare ?? versioned ?? aliased)?.model;
  if (model === undefined) {
    const forms = [modelName, versionName, aliasName].map(({ pattern }) => pattern).join(', ');
    throw invalidField('model', `Expected \`model\` to be like one of ${forms} but received ${quote(name)}.`);
  }
  return [model, versioned?.version ?? aliased?.alias ?? ''];
}

function toRecord({ values }: RecordMessage): RawRecord {
  return Object.fromEntries(Object.entries(values).map(([column, value]) => [column, toValue(value)]));
}

function toValue(value: ValueMessage): RawValue {
  if (value.kind === undefined) {
    return null;
  }
  return value.kind === 'numbers' ? value.numbers!.values : value[value.kind]!;
}

function toPrediction(answer: LabelledAnswer): Prediction {
  return 'number' in answer ? { number: answer.number } : { label: answer.scores[0]!.label, scores: answer.scores };
}
