/** `google.protobuf.Timestamp` as generated types have it. */
export interface Timestamp {
  seconds: number;
  nanos: number;
}

/** @param timeMs milliseconds since 1970, UTC; fractions of one are dropped */
export function toTimestamp(timeMs: number): Timestamp {
  const whole = Math.floor(timeMs);
  const seconds = Math.floor(whole / 1000);
  return { seconds, nanos: (whole - seconds * 1000) * 1e6 };
}

/** Milliseconds since 1970, UTC. */
export function fromTimestamp(timestamp: { seconds?: unknown; nanos?: number }): number {
  return Number(timestamp.seconds ?? 0) * 1000 + (timestamp.nanos ?? 0) / 1e6;
}
