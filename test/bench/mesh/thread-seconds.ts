import { readFileSync } from 'node:fs';
import { processorSeconds } from '../serving/process-usage.js';

/** Processor time of a process so far, s: of its main thread, which runs the JavaScript, and of all, with those that have ended. */
export function threadSeconds(pid: number): { main: number; all: number } {
  const main = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[0];
  return { main: Number(main) / 1e9, all: processorSeconds([pid]) };
}
