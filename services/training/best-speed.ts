import { mkdir, readFile } from 'node:fs/promises';
import { cpus, homedir } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { writeDurably } from '../platform/durable-file.js';

/** GFLOP/s of the engine's own product. */
export interface Speed {
  gflopsPerThread: number;
  gflops: number;
}

/** What was measured with: speeds of other settings are not compared. */
export interface Setting {
  instructionSet: string;
  threads: number;
}

const speed = z.object({ gflopsPerThread: z.number().positive(), gflops: z.number().positive() });
const bestSpeeds = z.record(z.string(), speed);

/** A share of the best that other runs of the same measurement reach without trouble. */
const usualShare = 0.85;

/** `$XDG_CACHE_HOME/millrace/best-speed.json`, by default below `~/.cache`. */
export function bestSpeedFile(env: NodeJS.ProcessEnv): string {
  return path.join(env.XDG_CACHE_HOME || path.join(homedir(), '.cache'), 'millrace', 'best-speed.json');
}

/**
 * Keeps the best speed that this machine has reached and returns it, this measurement included. What the file holds
 * is a convenience: one that is missing, or that is not ours, begins anew.
 */
export async function keepBestSpeed(file: string, { instructionSet, threads }: Setting, found: Speed): Promise<Speed> {
  const key = [cpus()[0]?.model ?? 'unknown processor', instructionSet, `${threads} threads`].join(', ');
  const kept = await readBest(file);
  const before = kept[key];
  const best = {
    gflopsPerThread: Math.max(found.gflopsPerThread, before?.gflopsPerThread ?? 0),
    gflops: Math.max(found.gflops, before?.gflops ?? 0),
  };
  await mkdir(path.dirname(file), { recursive: true });
  await writeDurably(file, `${JSON.stringify({ ...kept, [key]: best }, null, 2)}\n`);
  return best;
}

async function readBest(file: string): Promise<Record<string, Speed>> {
  try {
    return bestSpeeds.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (error) {
    const broken = error instanceof SyntaxError || error instanceof z.ZodError;
    if (broken || (error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}

/** What is slower than it was or could be, each with its remedy. */
export function slowness(found: Speed, best: Speed, { threads }: Setting, load: number): string[] {
  const warnings: string[] = [];
  const percent = (share: number) => `${Math.round(100 * share)} %`;
  const remedy = `the load is ${load.toFixed(1)}: stop other programs, or see whether the processor is throttled or shared with other virtual machines, and run this again`;
  const perThread = found.gflopsPerThread / best.gflopsPerThread;
  const together = found.gflops / best.gflops;
  if (perThread < usualShare) {
    warnings.push(`one thread reaches ${percent(perThread)} of the best speed measured on this machine; ${remedy}.`);
  }
  if (together < usualShare) {
    warnings.push(`all threads reach ${percent(together)} of the best speed measured on this machine; ${remedy}.`);
  }
  const scaling = found.gflops / (threads * found.gflopsPerThread);
  if (threads > 1 && scaling < 0.6) {
    warnings.push(
      `${threads} threads reach ${percent(scaling)} of ${threads} times one thread; where they are the halves of hyper-threaded cores, give the process one processor a core (taskset, cpuset), otherwise ${remedy}.`,
    );
  }
  return warnings;
}
