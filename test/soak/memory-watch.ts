import { residentBytes } from '../bench/serving/process-usage.js';
import { median } from '../bench/trial.js';

const everyMs = 1_000;
/** What a process may gain from the second quarter of the run to the last: noise of the garbage collector. */
const gainBytesMax = 48 * 1024 * 1024;
const gainShareMax = 0.2;

export interface MemoryGain {
  name: string;
  pid: number;
  earlyBytes: number;
  lateBytes: number;
  isFlat: boolean;
}

/** Follows the memory of processes, of which some come and go. */
export class MemoryWatch {
  readonly #samples = new Map<number, { name: string; bytes: number[] }>();
  readonly #timer: NodeJS.Timeout;
  #count = 0;

  /** @param processes those of the moment, by pid with their names */
  constructor(processes: () => [pid: number, name: string][]) {
    this.#timer = setInterval(() => {
      this.#count++;
      for (const [pid, name] of processes()) {
        const sample = this.#samples.get(pid) ?? { name, bytes: [] };
        const bytes = bytesOf(pid);
        if (bytes > 0) {
          sample.bytes.push(bytes);
          this.#samples.set(pid, sample);
        }
      }
    }, everyMs);
  }

  /** Ends it. @returns what the processes gained that were there nearly all the time */
  stop(): MemoryGain[] {
    clearInterval(this.#timer);
    return [...this.#samples]
      .filter(([, { bytes }]) => bytes.length > 8 && bytes.length > 0.9 * this.#count)
      .map(([pid, { name, bytes }]) => {
        const quarter = Math.floor(bytes.length / 4);
        const earlyBytes = median(bytes.slice(quarter, 2 * quarter));
        const lateBytes = median(bytes.slice(3 * quarter));
        const isFlat = lateBytes - earlyBytes <= Math.max(gainBytesMax, gainShareMax * earlyBytes);
        return { name, pid, earlyBytes, lateBytes, isFlat };
      });
  }
}

function bytesOf(pid: number): number {
  try {
    return residentBytes([pid]);
  } catch {
    // It has ended.
    return 0;
  }
}
