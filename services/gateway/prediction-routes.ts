import type { contracts, RpcClient } from '../../proto/index.js';
import { optionsOf } from './calls.js';
import { fromPredictResponse, predictAnswer, predictRequest, toPredictRequest } from './prediction-rpc.js';
import { checkBody, type Route } from './routes.js';

export type PredictionClient = RpcClient<(typeof contracts.prediction)['clientType']>;

/** `millrace.v1.PredictionService` for callers without gRPC. */
export function predictionRoutes(prediction: PredictionClient, timeoutMs: number): Route[] {
  return [
    ['models/{model}', 'predict', 'Labelled answers for raw records.'],
    ['models/{model}/versions/{version}', 'predictVersion', 'Labelled answers of one version for raw records.'],
    ['models/{model}/aliases/{alias}', 'predictAlias', 'Labelled answers of an alias for raw records.'],
  ].map(([resource, operation, summary]) => ({
    method: 'POST',
    path: `/v1/${resource}:predict`,
    operation: operation!,
    summary: summary!,
    takes: predictRequest,
    gives: predictAnswer,
    async handle(call) {
      const name = resource!.replaceAll(/\{(\w+)\}/g, (_, key: string) => call.params[key]!);
      const request = toPredictRequest(name, checkBody(predictRequest, call.body));
      return fromPredictResponse(await prediction.predict(request, { ...optionsOf(call), timeoutMs }));
    },
  }));
}
