import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';

/** Programs of the mesh; the command line starts them as processes and never imports them. */
const programs = {
  supervisor: 'supervisor/main.js',
  doctor: 'training/doctor.js',
  gateway: 'gateway/main.js',
  inference: 'inference/main.js',
  registry: 'registry/main.js',
  training: 'training/main.js',
  preprocessing: 'preprocessing/main.js',
};
export type Program = keyof typeof programs;

export const serviceNames = ['gateway', 'inference', 'registry', 'training', 'preprocessing'] as const;

export function programPath(program: Program): string {
  return createRequire(import.meta.url).resolve(`#services/${programs[program]}`);
}

/** Runs a program in the foreground with this terminal, hands signals on, and ends with its exit status. */
export function runProgram(program: Program, args: string[]): void {
  const child: ChildProcess = spawn(process.execPath, [programPath(program), ...args], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => child.kill(signal));
  }
  child.once('exit', (status) => process.exit(status ?? 1));
}
