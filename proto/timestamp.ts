/** `google.protobuf.Timestamp` as generated types have it. */
export interface Timestamp {
  seconds: number;
  nanos: number;
}

/** @param timeMs milliseconds since 1970, UTC */
export function toTimestamp(timeMs: number): Timestamp {
  const seconds = Math.floor(timeMs / 1000);
  return { seconds, nanos: Math.min(Math.floor((timeMs - seconds * 1000) * 1e6), 999_999_999) };
}

/** Milliseconds since 1970, UTC. */
export function fromTimestamp(timestamp: { seconds?: unknown; nanos?: number }): number {
  return Number(timestamp.seconds ?? 0) * 1000 + (timestamp.nanos ?? 0) / 1e6;
}
