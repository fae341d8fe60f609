import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, fstatSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { CommandError } from './output.js';
import { programPath } from './process.js';

/** A mesh that a command started for itself. */
export class MeshProcess {
  private constructor(
    private readonly child: ChildProcess,
    /** Port by service name. */
    readonly ports: Record<string, number>,
  ) {}

  get pid(): number {
    return this.child.pid!;
  }

  /** Starts `millrace up` and waits until every service is ready. Its output goes to `<dataDir>/logs/supervisor.log`. */
  static start(dataDir: string, host: string, portBase: number): Promise<MeshProcess> {
    const folder = path.join(dataDir, 'logs');
    mkdirSync(folder, { recursive: true });
    const logFile = path.join(folder, 'supervisor.log');
    const log = openSync(logFile, 'a');
    const { size: logBegin } = fstatSync(log);
    const args = [programPath('supervisor'), `--data-dir=${dataDir}`, `--host=${host}`, `--port-base=${portBase}`];
    // Of a process group of its own: a Ctrl-C in the terminal reaches the command, which then stops the mesh in order.
    const child = spawn(process.execPath, args, { stdio: ['ignore', log, log, 'ipc'], detached: true });
    closeSync(log);
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', () => {
        const words = readFileSync(logFile).subarray(logBegin).toString();
        const reason = /^millrace: (.*)$/m.exec(words)?.[1];
        reject(new CommandError(reason ?? `The mesh did not start; see ${folder}. ${words}`));
      });
      child.once('message', ({ ports }: { ports: Record<string, number> }) => resolve(new MeshProcess(child, ports)));
    });
  }

  /** Leaves the mesh running when this program ends. */
  async keep(): Promise<void> {
    const gone = new Promise((resolve) => this.child.once('disconnect', resolve));
    this.child.send({ type: 'keep' });
    await gone;
    this.child.unref();
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const ended = new Promise((resolve) => this.child.once('exit', resolve));
      this.child.kill('SIGTERM');
      await ended;
    }
  }
}
