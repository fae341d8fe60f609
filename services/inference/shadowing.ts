import type { Logger } from '../platform/log.js';
import { isSameTensor } from './answer-comparison.js';
import type { LoadedVersion } from './loaded-version.js';
import { toBytes } from './network-executable.js';
import type { RawRecord, RawValue } from './record-pipeline.js';
import {
  copyTensors,
  type ShadowComputation,
  type ShadowLimits,
  ShadowQueue,
  type ShadowResult,
  type ShadowSample,
} from './shadow.js';
import { shadowCountsOf } from './version-statistics.js';

/** The version that copies of a model's requests go to, and how many of them. */
export interface ShadowRoute {
  version: LoadedVersion;
  sample: ShadowSample;
}

/** Little on purpose: copies that come faster than one thread computes them are dropped. */
const limits: ShadowLimits = { atOnce: 1, waitingMax: 64, bytesMax: 32 * 1024 * 1024 };

/** Has other versions compute copies of answered requests, and counts with the version that answered how they compare. */
export class Shadowing {
  readonly #queue: ShadowQueue;
  /** Versions of which a failure was told. */
  readonly #reported = new WeakSet<LoadedVersion>();

  constructor(
    isBusy: () => boolean,
    private readonly log: Logger,
  ) {
    this.#queue = new ShadowQueue(limits, isBusy);
  }

  /** Neither inputs nor outputs need to stay as they are. */
  copyTensors(
    route: ShadowRoute,
    version: LoadedVersion,
    inputs: readonly Uint8Array[],
    rows: number,
    outputs: readonly Uint8Array[],
  ): void {
    const inputBytes = inputs.reduce((sum, { length }) => sum + length, 0);
    this.#offer(route, version, { inputBytes, rows, outputs }, () => {
      const kept = copyTensors(inputs);
      return async () => computeTensors(route.version, version, kept, rows);
    });
  }

  /** The shadow's own pipeline reads the records, which must stay as they are. */
  copyRecords(
    route: ShadowRoute,
    version: LoadedVersion,
    records: readonly RawRecord[],
    outputs: readonly Uint8Array[],
  ): void {
    const rows = records.length;
    const inputBytes = records.reduce((sum, record) => sum + bytesOfRecord(record), 0);
    this.#offer(route, version, { inputBytes, rows, outputs }, () => () => computeRecords(route.version, records));
  }

  /** Resolves when nothing is being computed any more. */
  async close(): Promise<void> {
    await this.#queue.close();
  }

  #offer(
    { version: shadow, sample }: ShadowRoute,
    version: LoadedVersion,
    request: { inputBytes: number; rows: number; outputs: readonly Uint8Array[] },
    keepInputs: () => ShadowComputation,
  ): void {
    if (shadow !== version && sample.takes()) {
      const tell = (result: ShadowResult) => this.#count(version, shadow, result);
      this.#queue.offer({ form: version.form, ...request }, shadow, keepInputs, tell);
    }
  }

  #count(version: LoadedVersion, shadow: LoadedVersion, { outcome, differenceMax, error }: ShadowResult): void {
    const counts = shadowCountsOf(version.statistics, shadow.number);
    counts[outcome]++;
    counts.differenceMax = Math.max(counts.differenceMax, differenceMax);
    if (outcome === 'failed' && !this.#reported.has(shadow)) {
      this.#reported.add(shadow);
      const { model, number } = shadow;
      this.log.warn({ model, version: number, err: error }, 'the shadow cannot answer; told once, and counted');
    }
  }
}

async function computeTensors(
  shadow: LoadedVersion,
  version: LoadedVersion,
  inputs: readonly Uint8Array[],
  rows: number,
): Promise<readonly Uint8Array[]> {
  const [ours, theirs] = [shadow.executable.inputs, version.executable.inputs];
  if (ours.length !== theirs.length || !ours.every((input, i) => isSameTensor(input, theirs[i]!))) {
    throw new Error('the versions have other inputs');
  }
  return computeAside(shadow, () => shadow.executable.executeAsync(inputs, rows));
}

function computeRecords(shadow: LoadedVersion, records: readonly RawRecord[]): Promise<readonly Uint8Array[]> {
  return computeAside(shadow, async () => {
    if (!shadow.transform) {
      throw new Error('the version has no pipeline, so it takes no records');
    }
    return shadow.executable.executeAsync([toBytes(await shadow.transform(records))], records.length);
  });
}

async function computeAside<T>(version: LoadedVersion, work: () => Promise<T>): Promise<T> {
  version.enter();
  try {
    return await work();
  } finally {
    version.leave();
  }
}

/** About what the values of a record take in memory. */
function bytesOfRecord(record: RawRecord): number {
  return Object.values(record).reduce<number>((sum, value) => sum + bytesOfValue(value), 0);
}

function bytesOfValue(value: RawValue): number {
  if (typeof value === 'string') {
    return 2 * value.length;
  }
  if (value instanceof Uint8Array) {
    return value.length;
  }
  return 8 * (Array.isArray(value) ? value.length : 1);
}
