/** How requests to a model are computed together. */
export interface BatchingSettings {
  /** Most rows computed together, and of one request; 0: as many as the server takes. */
  rowsMax: number;
  /** Ascending. As soon as so many rows wait they are computed, as many as the largest of these that is reached. */
  preferredRows: readonly number[];
  /** How long a request may wait for others, microseconds; 0: until the end of the event loop's turn. */
  queueDelayUsMax: number;
  /** Requests that may wait; 0: as many as the server takes. */
  queueRequestsMax: number;
  /** Priorities that a request may ask for, 1 the highest; 0: none, whatever it asks for. */
  priorityLevels: number;
  /** Of a request that asks for none, or for one that there is not. */
  defaultPriority: number;
  /** How long a request may wait to be computed, microseconds; 0: as long as its caller waits. */
  timeoutUs: number;
  /** Whether a request may ask for a shorter time. */
  timeoutOverride: boolean;
}

export const defaultBatching: BatchingSettings = {
  rowsMax: 0,
  preferredRows: [],
  queueDelayUsMax: 0,
  queueRequestsMax: 0,
  priorityLevels: 0,
  defaultPriority: 0,
  timeoutUs: 0,
  timeoutOverride: true,
};
