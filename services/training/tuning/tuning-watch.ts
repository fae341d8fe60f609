import { invalidField } from '../../platform/errors.js';
import { feed } from '../event-feed.js';
import { isLastTuningEvent, isTuningEnd, type KeptTuningEvent } from './tuning-job.js';
import type { TuningStore } from './tuning-store.js';

/**
 * A tuning's committed events after a sequence number, then new ones as they come, up to the one that ends it or until `signal` is
 * aborted. A number beyond the newest event was never given out, so it is refused rather than waited for.
 */
export async function* watchTuning(
  store: TuningStore,
  id: string,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<KeptTuningEvent, void> {
  const { number, state, latestSequence } = await store.get(id);
  if (!Number.isSafeInteger(after) || after < 0 || after > latestSequence) {
    const rule = `from 0 to ${latestSequence}, the tuning's newest event,`;
    throw invalidField('after_sequence', `Expected \`after_sequence\` to be ${rule} but received ${after}.`);
  }
  if (isTuningEnd(state) && after === latestSequence) {
    return;
  }
  const source = {
    jobNumber: number,
    placeOf: ({ sequence }: KeptTuningEvent) => sequence,
    async read(sequence: number, limit: number) {
      const events = await store.events(number, sequence, limit);
      if (events.length === 0) {
        // Throws if there are none because the tuning has been deleted.
        await store.get(id);
      }
      return events;
    },
  };
  for await (const event of feed(store, source, after, signal)) {
    yield event;
    if (isLastTuningEvent(event)) {
      return;
    }
  }
}
