import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const loader = fileURLToPath(new URL('source-process.mjs', import.meta.url));

/** A service's `main.ts` as a process of its own, straight from the sources, so that it can be killed. */
export class SourceProcess {
  private constructor(
    private readonly process: ChildProcess,
    readonly port: number,
  ) {}

  /** Resolves when the service says that it is ready. */
  static async start(main: URL, args: string[]): Promise<SourceProcess> {
    const child = spawn(process.execPath, [loader, fileURLToPath(main), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let log = '';
    child.stderr.on('data', (chunk) => {
      log += String(chunk);
    });
    for await (const line of createInterface(child.stdout)) {
      if (line.startsWith('millrace ready ')) {
        child.stdout.resume();
        return new SourceProcess(child, (JSON.parse(line.slice('millrace ready '.length)) as { port: number }).port);
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
