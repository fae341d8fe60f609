import type { Prediction } from '../../proto/gen/millrace/v1/Prediction.js';
import type { PredictStreamRequest__Output } from '../../proto/gen/millrace/v1/PredictStreamRequest.js';
import type { PredictStreamResponse } from '../../proto/gen/millrace/v1/PredictStreamResponse.js';
import type { Record__Output as RecordMessage } from '../../proto/gen/millrace/v1/Record.js';
import type { Value__Output as ValueMessage } from '../../proto/gen/millrace/v1/Value.js';
import { contracts, toStatusMessage } from '../../proto/index.js';
import { invalidField, quote, ServiceError } from '../platform/errors.js';
import { type CallContext, type ImplementedContract, implement } from '../platform/handler.js';
import type { BatchPredictions } from './batch-prediction/batch-prediction.js';
import { batchPredictionMethods } from './batch-prediction-rpc.js';
import type { Inference } from './inference.js';
import type { LabelledAnswer } from './labelled-answer.js';
import { type AskedModel, matchModelName, modelNameForms, versionName } from './model-name.js';
import { inOrder } from './ordered-answers.js';
import type { RawRecord, RawValue } from './record-pipeline.js';
import { routingKeyOf } from './routing-key.js';

/** Answers of one stream that may be on their way at once. */
const streamedMax = 256;

/** Predictions from raw records, and the jobs that predict whole datasets. */
export function predictionService(inference: Inference, jobs: BatchPredictions): ImplementedContract {
  const predict = async (name: string, records: RecordMessage[], caller: CallContext) => {
    const { model, asked } = parseModel(name);
    const key = () => routingKeyOf(caller);
    const { version, answers } = await inference.predict(model, asked, records.map(toRecord), caller, key);
    return {
      modelVersion: versionName.format({ model: version.model, version: String(version.number) }),
      predictions: answers.map(toPrediction),
    };
  };
  return implement(contracts.prediction, {
    ...batchPredictionMethods(jobs),
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

function parseModel(name: string): AskedModel {
  const asked = matchModelName(name);
  if (!asked) {
    const message = `Expected \`model\` to be like one of ${modelNameForms} but received ${quote(name)}.`;
    throw invalidField('model', message);
  }
  return asked;
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
  if ('number' in answer) {
    return { number: answer.number };
  }
  if ('numbers' in answer) {
    return { numbers: answer.numbers };
  }
  const { scores, labels } = answer;
  return labels ? { labels, scores } : { label: scores[0]!.label, scores };
}
