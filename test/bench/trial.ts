import { run } from '../support/mesh.js';

/** A program: each trial is a fresh process that prints what was measured. */
export interface Program {
  name: string;
  command: string;
  args: string[];
  env?: Record<string, string>;
}

/** A program that is measured by one figure. */
export interface Contender extends Program {
  /** Reads the figure from what the program printed. */
  figure(stdout: string): number;
}

/** A program that measures several things at once. */
export interface ManyContender extends Program {
  /** Reads the figures, by what they are of. */
  figures(stdout: string): Record<string, number>;
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
  const many = contenders.map((contender) => ({
    ...contender,
    figures: (stdout: string) => ({ value: contender.figure(stdout) }),
  }));
  return (await compareMany(many, trials)).get('value') ?? [];
}

/** The same for programs that measure several things: the contenders' figures by what they are of. */
export async function compareMany(contenders: ManyContender[], trials: number): Promise<Map<string, Figure[]>> {
  const subjects = contenders.map(({ name, command, args, env, figures }) => ({
    name,
    measure: async () => {
      const { status, stdout, stderr } = await run(command, args, { env: { ...process.env, ...env } });
      if (status !== 0) {
        throw new Error(`${name} ended with status ${status}: ${stderr.slice(-2_000)}`);
      }
      return figures(stdout);
    },
  }));
  return measureInTurn(subjects, trials);
}

/** Something that is measured, each time anew. */
export interface Subject {
  name: string;
  /** The figures, by what they are of. */
  measure(): Promise<Record<string, number>>;
}

/** Measures A B A B ...: the subjects' figures by what they are of. */
export async function measureInTurn(subjects: Subject[], trials: number): Promise<Map<string, Figure[]>> {
  const values = subjects.map(() => new Map<string, number[]>());
  for (let trial = 0; trial < trials; trial++) {
    for (const [i, subject] of subjects.entries()) {
      for (const [key, value] of Object.entries(await subject.measure())) {
        values[i]!.set(key, [...(values[i]!.get(key) ?? []), value]);
      }
    }
  }
  const result = new Map<string, Figure[]>();
  for (const [i, { name }] of subjects.entries()) {
    for (const [key, list] of values[i]!) {
      result.set(key, [...(result.get(key) ?? []), summarise(name, list)]);
    }
  }
  return result;
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
