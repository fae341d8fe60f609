import type { TuningEvent__Output as TuningEvent } from '../../proto/gen/millrace/v1/TuningEvent.js';
import type { contracts, RpcClient } from '../../proto/index.js';
import { reconnecting } from './reconnecting.js';
import type { FollowOptions } from './training-watch.js';

/** A tuning's events, each once and in order, to its end. */
export async function* followTuningJob(
  tuning: RpcClient<typeof contracts.tuning.clientType>,
  name: string,
  { after = 0, signal }: Pick<FollowOptions, 'after' | 'signal'>,
): AsyncGenerator<TuningEvent, void> {
  let seen = after;
  const watch = () => tuning.watchTuningJob({ name, afterSequence: seen }, { signal, waitForReady: true });
  for await (const event of reconnecting(watch, signal)) {
    seen = event.sequence;
    yield event;
  }
}
