import { readFileSync, writeFileSync } from 'node:fs';
import { readStat } from './server-process.js';

const ticksPerSecond = 100;

/** Processor time that the processes have used so far, s. */
export function processorSeconds(pids: number[]): number {
  const ticks = pids.map((pid) => {
    const fields = readStat(pid);
    return fields ? Number(fields[11]) + Number(fields[12]) : 0;
  });
  return ticks.reduce((sum, value) => sum + value, 0) / ticksPerSecond;
}

/** Memory that the processes hold, bytes. `peak`: the most they held since `forgetPeak`. */
export function residentBytes(pids: number[], which: 'now' | 'peak' = 'now'): number {
  const field = which === 'now' ? /^VmRSS:\s+(\d+)/m : /^VmHWM:\s+(\d+)/m;
  const bytes = pids.map((pid) => Number(field.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024);
  return bytes.reduce((sum, value) => sum + value, 0);
}

export function forgetPeak(pids: number[]): void {
  for (const pid of pids) {
    writeFileSync(`/proc/${pid}/clear_refs`, '5');
  }
}
