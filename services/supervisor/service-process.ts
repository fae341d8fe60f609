import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { ServiceName } from '../platform/config.js';
import { ServiceError } from '../platform/errors.js';
import type { Logger } from '../platform/log.js';
import { misconfiguredStatus, readyPrefix } from '../platform/main.js';
import { BoundedLog } from './bounded-log.js';

const backoffMsMin = 100;
const backoffMsMax = 10_000;
/** A process that lived this long was well: the next crash starts the backoff anew. */
const healthyMs = 30_000;
/** A process that is still there this long after its grace is stuck. */
const killMarginMs = 2_000;

export interface ServiceProcessOptions {
  name: ServiceName;
  dataDir: string;
  args: string[];
  /** Time that the process has to end after SIGTERM, ms. */
  stopGraceMs: number;
  log: Logger;
}

/** One service as a process of its own, started again whenever it ends unasked. Its log is `<dataDir>/logs/NAME.log`. */
export class ServiceProcess {
  readonly #logFile: BoundedLog;
  #child: ChildProcess | null = null;
  #stopping = false;
  #wasReady = false;
  #backoffMs = backoffMsMin;
  #restart: NodeJS.Timeout | null = null;

  constructor(private readonly options: ServiceProcessOptions) {
    const folder = path.join(options.dataDir, 'logs');
    mkdirSync(folder, { recursive: true });
    this.#logFile = new BoundedLog(path.join(folder, `${options.name}.log`));
  }

  /** Resolves with the port once the service is ready; rejects when it ends before that. */
  start(): Promise<number> {
    return new Promise((resolve, reject) => this.#spawn(resolve, reject));
  }

  /** Ends the service with SIGTERM and waits for it; one that is stuck is killed, which costs nothing it acknowledged. */
  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#restart) {
      clearTimeout(this.#restart);
    }
    const child = this.#child;
    if (child && child.exitCode === null && child.signalCode === null) {
      const ended = new Promise((resolve) => child.once('close', resolve));
      child.kill('SIGTERM');
      const force = setTimeout(() => child.kill('SIGKILL'), this.options.stopGraceMs + killMarginMs);
      await ended;
      clearTimeout(force);
    }
  }

  #spawn(ready: (port: number) => void, failed: (error: Error) => void): void {
    const { name, args, log } = this.options;
    const begin = Date.now();
    const main = createRequire(import.meta.url).resolve(`#services/${name}/main.js`);
    // The channel lets the service notice when its supervisor is gone.
    const child = spawn(process.execPath, [main, ...args], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // The file is for the mesh: a service would refuse what in it is for others. It is told its part by arguments.
      env: { ...process.env, MILLRACE_CONFIG: undefined },
    });
    this.#child = child;
    let isReady = false;
    createInterface({ input: child.stdout! }).on('line', (line) => {
      if (line.startsWith(readyPrefix)) {
        isReady = true;
        this.#wasReady = true;
        ready((JSON.parse(line.slice(readyPrefix.length)) as { port: number }).port);
      }
    });
    const lastWords = this.#keepLog(child);
    child.once('error', failed);
    child.once('close', (status, signal) => {
      this.#child = null;
      if (!isReady) {
        const reason = lastWords() || `it ended with ${signal ?? `status ${status}`}`;
        failed(
          new ServiceError(
            'FAILED_PRECONDITION',
            'SERVICE_NOT_STARTED',
            `The ${name} service did not start: ${reason}`,
          ),
        );
      }
      if (!this.#stopping && (this.#wasReady || status !== misconfiguredStatus)) {
        log.warn({ child: name, status, signal, restartInMs: this.#backoffMs }, 'service ended, restarting');
        this.#restartLater(Date.now() - begin > healthyMs);
      }
    });
  }

  #restartLater(wasHealthy: boolean): void {
    if (wasHealthy) {
      this.#backoffMs = backoffMsMin;
    }
    this.#restart = setTimeout(() => {
      const report = (error: Error) =>
        this.options.log.error({ child: this.options.name, err: error }, 'restart failed');
      this.#spawn((port) => this.options.log.info({ child: this.options.name, port }, 'service restarted'), report);
    }, this.#backoffMs);
    this.#backoffMs = Math.min(this.#backoffMs * 2, backoffMsMax);
  }

  /** Appends standard error to the log; the function returned gives its last line that is not JSON. */
  #keepLog(child: ChildProcess): () => string {
    let last = '';
    createInterface({ input: child.stderr! }).on('line', (line) => {
      this.#logFile.append(line);
      if (line.startsWith('millrace: ')) {
        last = line.slice('millrace: '.length);
      }
    });
    return () => last;
  }
}
