import { run } from '../support/mesh.js';

/** A program that is measured: each trial is a fresh process that prints its figure. */
export interface Contender {
  name: string;
  command: string;
  args: string[];
  env?: Record<string, string>;
  /** Reads the figure from what the program printed. */
  figure(stdout: string): number;
}

export interface Figure {
  name: string;
  median: number;
  minimum: number;
  maximum: number;
  trials: number;
}

/** Runs the contenders in turn, A B A B ..., so that a machine that changes its pace changes it for all. */
export async function compare(contenders: Contender[], trials: number): Promise<Figure[]> {
  const values = contenders.map(() => [] as number[]);
  for (let trial = 0; trial < trials; trial++) {
    for (const [i, { name, command, args, env, figure }] of contenders.entries()) {
      const { status, stdout, stderr } = await run(command, args, { env: { ...process.env, ...env } });
      if (status !== 0) {
        throw new Error(`${name} ended with status ${status}: ${stderr.slice(-2_000)}`);
      }
      values[i]!.push(figure(stdout));
    }
  }
  return contenders.map(({ name }, i) => summarise(name, values[i]!));
}

export function summarise(name: string, values: number[]): Figure {
  const sorted = [...values].sort((a, b) => a - b);
  return { name, median: median(sorted), minimum: sorted[0]!, maximum: sorted.at(-1)!, trials: sorted.length };
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The last line of a program's output, which is JSON. */
export function lastJson<T>(stdout: string): T {
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as T;
}
