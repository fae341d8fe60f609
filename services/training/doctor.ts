import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { ServiceError } from '../platform/errors.js';
import { exitWith } from '../platform/main.js';
import { bestSpeedFile, keepBestSpeed, type Setting, type Speed, slowness } from './best-speed.js';

/** Long enough for the clock of a modern processor to settle. */
const measureSeconds = 1;

interface Diagnosis {
  version: string;
  instructionSet: string;
  threads: number;
  blas: string;
  blasCore: string;
  blasLibrary: string;
  /** The engine's own speed, with one thread and with all of them. */
  gflopsPerThread: number;
  gflops: number;
  /** The best that this machine has reached in any run of this command, this one included. */
  bestGflopsPerThread: number;
  bestGflops: number;
  /** BLAS on one thread; 0 where there is none. */
  blasGflops: number;
  warnings: string[];
}

async function diagnose(): Promise<Diagnosis> {
  const { engineInfo, measureBlasGflops, measureGflops } = await loadEngine();
  const { warnings, ...info } = engineInfo();
  // Before the measurement adds to it.
  const load = loadavg()[0]!;
  // One after the other: measured together they would share the cores.
  const gflopsPerThread = await measureGflops({ threads: 1, seconds: measureSeconds });
  const gflops = await measureGflops({ threads: 0, seconds: measureSeconds });
  const blasGflops = await measureBlasGflops({ seconds: measureSeconds });
  const found = { gflopsPerThread, gflops };
  const { best, trouble } = await compareWithBest(info, found);
  return {
    ...info,
    ...found,
    bestGflopsPerThread: best.gflopsPerThread,
    bestGflops: best.gflops,
    blasGflops,
    warnings: [...warnings, ...slowness(found, best, info, load), ...trouble],
  };
}

/** A home that cannot be written to costs the comparison, not the diagnosis. */
async function compareWithBest(setting: Setting, found: Speed): Promise<{ best: Speed; trouble: string[] }> {
  try {
    return { best: await keepBestSpeed(bestSpeedFile(process.env), setting, found), trouble: [] };
  } catch (error) {
    const reason = (error as Error).message;
    return { best: found, trouble: [`the best speed could not be kept for comparison: ${reason}.`] };
  }
}

function toText(found: Diagnosis): string {
  const number = (value: number) => `${value.toFixed(1)} GFLOP/s`;
  const beside = (value: number, best: number) => `${number(value)} (best measured here ${best.toFixed(1)})`;
  const rows = [
    ['engine', found.version],
    ['instruction set', found.instructionSet],
    ['threads', String(found.threads)],
    ['speed, one thread', beside(found.gflopsPerThread, found.bestGflopsPerThread)],
    ['speed, all threads', beside(found.gflops, found.bestGflops)],
    ['BLAS', found.blas || 'none found; the engine uses its own kernels'],
    ['BLAS kernel', found.blasCore],
    ['BLAS library', found.blasLibrary],
    ['BLAS, one thread', found.blasGflops > 0 ? number(found.blasGflops) : ''],
  ];
  const lines = rows.filter(([, value]) => value !== '').map(([name, value]) => `${name!.padEnd(20)}${value}`);
  const advice = found.warnings.length > 0 ? found.warnings.map((text) => `warning: ${text}`) : ['No problems found.'];
  return [...lines, '', ...advice].join('\n');
}

/** An engine that does not load is a finding like any other. */
async function loadEngine() {
  try {
    return await import('../../native/index.js');
  } catch (error) {
    const { message, cause } = error as Error;
    const reason = cause instanceof Error ? ` ${cause.message}` : '';
    throw new ServiceError('FAILED_PRECONDITION', 'ENGINE_NOT_LOADED', message + reason, { cause: error });
  }
}

/** Whether `--json` was given; another argument is refused. */
function wantsJson(args: string[]): boolean {
  try {
    return parseArgs({ args, options: { json: { type: 'boolean', default: false } } }).values.json;
  } catch (cause) {
    throw new ServiceError('INVALID_ARGUMENT', 'INVALID_ARGUMENTS', (cause as Error).message, { cause });
  }
}

try {
  const json = wantsJson(process.argv.slice(2));
  const found = await diagnose();
  process.stdout.write(`${json ? JSON.stringify(found) : toText(found)}\n`);
} catch (error) {
  exitWith(error);
}
