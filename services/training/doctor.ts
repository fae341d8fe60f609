import { parseArgs } from 'node:util';
import { engineInfo, measureBlasGflops, measureGflops } from '../../native/index.js';

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
  /** BLAS on one thread; 0 where there is none. */
  blasGflops: number;
  warnings: string[];
}

async function diagnose(): Promise<Diagnosis> {
  const { warnings, ...info } = engineInfo();
  // One after the other: measured together they would share the cores.
  const gflopsPerThread = await measureGflops({ threads: 1, seconds: measureSeconds });
  const gflops = await measureGflops({ threads: 0, seconds: measureSeconds });
  const blasGflops = await measureBlasGflops({ seconds: measureSeconds });
  return { ...info, gflopsPerThread, gflops, blasGflops, warnings };
}

function toText(found: Diagnosis): string {
  const number = (value: number) => `${value.toFixed(1)} GFLOP/s`;
  const rows = [
    ['engine', found.version],
    ['instruction set', found.instructionSet],
    ['threads', String(found.threads)],
    ['speed, one thread', number(found.gflopsPerThread)],
    ['speed, all threads', number(found.gflops)],
    ['BLAS', found.blas || 'none found; the engine uses its own kernels'],
    ['BLAS kernel', found.blasCore],
    ['BLAS library', found.blasLibrary],
    ['BLAS, one thread', found.blasGflops > 0 ? number(found.blasGflops) : ''],
  ];
  const lines = rows.filter(([, value]) => value !== '').map(([name, value]) => `${name!.padEnd(20)}${value}`);
  const advice = found.warnings.length > 0 ? found.warnings.map((text) => `warning: ${text}`) : ['No problems found.'];
  return [...lines, '', ...advice].join('\n');
}

const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } });
const found = await diagnose();
process.stdout.write(`${values.json ? JSON.stringify(found) : toText(found)}\n`);
