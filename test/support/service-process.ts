import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import build from './build.js';
import { root } from './mesh.js';

/** A service as a process of its own, built from these sources, so that it can be killed. */
export class ServiceProcess {
  private constructor(
    private readonly process: ChildProcess,
    readonly port: number,
  ) {}

  /** Resolves when the service says that it is ready. @param service for example `inference` */
  static async start(service: string, args: string[]): Promise<ServiceProcess> {
    await build();
    const main = path.join(root, `dist/services/${service}/main.js`);
    const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let log = '';
    child.stderr.on('data', (chunk) => {
      log += String(chunk);
    });
    for await (const line of createInterface(child.stdout)) {
      if (line.startsWith('millrace ready ')) {
        child.stdout.resume();
        return new ServiceProcess(child, (JSON.parse(line.slice('millrace ready '.length)) as { port: number }).port);
      }
    }
    throw new Error(`the service did not start: ${log}`);
  }

  /** kill -9, and waits for the end. A process that has ended is left alone. */
  async kill(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) {
      return;
    }
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill('SIGKILL');
    await ended;
  }
}
