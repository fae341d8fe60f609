import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

export interface ServerProgram {
  command: string;
  args: string[];
  env?: Record<string, string>;
  /** Finds in what it prints that it is ready. */
  ready: RegExp;
  /** How it is asked to end. Default: by a signal. */
  endsWith?: 'input' | 'signal';
  /** Whether it is a service of ours, which ends by itself when the program that started it is gone. */
  isService?: boolean;
  /** Is given each line that it prints. */
  onLine?: (line: string) => void;
}

/** A server in a process of its own, with what it starts. */
export class ServerProcess {
  private constructor(
    private readonly child: ChildProcess,
    private readonly endsWith: 'input' | 'signal',
    /** The groups of `ready`. */
    readonly readyGroups: string[],
  ) {}

  static async start(program: ServerProgram): Promise<ServerProcess> {
    const { command, args, env, ready, endsWith = 'signal', isService = false, onLine } = program;
    const child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'pipe', ...(isService ? ['ipc' as const] : [])],
      env: { ...process.env, ...env },
    }) as ChildProcessWithoutNullStreams;
    if (onLine) {
      createInterface(child.stdout).on('line', onLine);
      createInterface(child.stderr).on('line', onLine);
    }
    let words = '';
    return new Promise((resolve, reject) => {
      const read = (chunk: Buffer) => {
        // Once it is ready nothing of it is kept, but all of it is read: a full pipe would stop the server.
        words = words.length < 100_000 ? words + chunk : '';
        const found = ready.exec(words);
        if (found) {
          resolve(new ServerProcess(child, endsWith, found.slice(1)));
        }
      };
      child.stdout.on('data', read);
      child.stderr.on('data', read);
      child.once('error', reject);
      child.once('exit', (status) => reject(new Error(`${command} ended with status ${status}: ${words}`)));
    });
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** How it ended, if it has: a status, or the name of a signal. */
  get ending(): number | string | null {
    return this.child.exitCode ?? this.child.signalCode;
  }

  /** This process and all below it. */
  get pids(): number[] {
    return processTree(this.pid);
  }

  /** Asks it to end, and waits until it and all below it have: the next trial may want its ports. */
  async stop(): Promise<void> {
    const pids = this.pids;
    if (this.ending === null) {
      const exited = once(this.child, 'exit');
      if (this.endsWith === 'input') {
        this.child.stdin!.end();
      } else {
        this.child.kill('SIGTERM');
      }
      await exited;
    }
    const begin = Date.now();
    while (pids.some(isRunning)) {
      const isPatient = Date.now() - begin < 20_000;
      for (const pid of isPatient ? [] : pids.filter(isRunning)) {
        process.kill(pid, 'SIGKILL');
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

function isRunning(pid: number): boolean {
  const fields = readStat(pid);
  return fields !== null && fields[0] !== 'Z';
}

/** Fields of /proc/PID/stat after the name, or null when there is no such process. */
export function readStat(pid: number): string[] | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    // It has ended.
    return null;
  }
}

function processTree(top: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    const parent = Number(readStat(Number(name))?.[1] ?? -1);
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const tree = [top];
  for (const pid of tree) {
    tree.push(...(children.get(pid) ?? []));
  }
  return tree;
}
