import { ServiceError } from '../platform/errors.js';
import type { Caller } from './admission.js';

/** When a request was computed, as `performance.now()`, and with how many rows together. */
export interface BatchTiming {
  enqueued: number;
  began: number;
  ended: number;
  batchRows: number;
}

/** A request that waits to be computed. */
export interface BatchItem {
  /** In the order of the executable's inputs. */
  inputs: readonly Uint8Array[];
  rows: number;
  /** 0: the highest. */
  lane: number;
  caller: Caller;
  /** As `performance.now()`: when it began to wait, and when it must not be computed any more. */
  enqueued: number;
  expires: number;
  /** Filled when it is computed; null: nobody asks. */
  timing: BatchTiming | null;
  resolve(outputs: Uint8Array[]): void;
  reject(error: unknown): void;
}

/** Requests in the order in which they are to be computed: by priority, then as they came. */
export class BatchQueue {
  readonly #lanes: BatchItem[][] = [];
  #requests = 0;
  #rows = 0;
  #oldest = Number.POSITIVE_INFINITY;

  get requests(): number {
    return this.#requests;
  }

  get rows(): number {
    return this.#rows;
  }

  /** When the request that waits longest began to. */
  get oldest(): number {
    return this.#oldest;
  }

  push(item: BatchItem): void {
    while (this.#lanes.length <= item.lane) {
      this.#lanes.push([]);
    }
    this.#lanes[item.lane]!.push(item);
    this.#requests++;
    this.#rows += item.rows;
    this.#oldest = Math.min(this.#oldest, item.enqueued);
  }

  /** Takes requests of `rowsMax` rows together, one at least. Those nobody waits for any more are refused on the way. */
  take(rowsMax: number, now: number): BatchItem[] {
    const batch: BatchItem[] = [];
    let rows = 0;
    for (const lane of this.#lanes) {
      let taken = 0;
      for (const item of lane) {
        const reason = reasonToDrop(item, now);
        if (reason) {
          item.reject(reason);
        } else if (batch.length > 0 && rows + item.rows > rowsMax) {
          break;
        } else {
          batch.push(item);
          rows += item.rows;
        }
        taken++;
        this.#requests--;
        this.#rows -= item.rows;
      }
      lane.splice(0, taken);
      if (lane.length > 0) {
        break;
      }
    }
    this.#oldest = Math.min(...this.#lanes.map((lane) => lane[0]?.enqueued ?? Number.POSITIVE_INFINITY));
    return batch;
  }
}

function reasonToDrop({ caller, expires }: BatchItem, now: number): unknown {
  if (now >= expires) {
    // The wording is Triton's.
    return new ServiceError('UNAVAILABLE', 'REQUEST_TIMEOUT', 'Request timeout expired');
  }
  try {
    caller.throwIfGone();
    return null;
  } catch (error) {
    return error;
  }
}
