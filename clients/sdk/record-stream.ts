import type { Prediction__Output as Prediction } from '../../proto/gen/millrace/v1/Prediction.js';
import type { Record as RawRecord } from '../../proto/gen/millrace/v1/Record.js';
import { type CallOptions, type contracts, type RpcClient, RpcError } from '../../proto/index.js';

/** What became of one record: a prediction, or why there is none. */
export type RecordAnswer =
  | { modelVersion: string; prediction: Prediction; error: null }
  | { modelVersion: null; prediction: null; error: RpcError };

type PredictionClient = RpcClient<typeof contracts.prediction.clientType>;

/** An answer to each record, in order. A record that is refused does not end the others. */
export async function* predictRecords(
  client: Pick<PredictionClient, 'predictStream'>,
  model: string,
  records: AsyncIterable<RawRecord> | Iterable<RawRecord>,
  options: CallOptions,
): AsyncGenerator<RecordAnswer, void> {
  for await (const { modelVersion, predictions, error } of client.predictStream(toRequests(model, records), options)) {
    yield error
      ? { modelVersion: null, prediction: null, error: RpcError.fromStatus(error) }
      : { modelVersion, prediction: predictions[0]!, error: null };
  }
}

async function* toRequests(model: string, records: AsyncIterable<RawRecord> | Iterable<RawRecord>) {
  // The first message names the model for all.
  let name = model;
  for await (const record of records) {
    yield { model: name, records: [record] };
    name = '';
  }
}
