import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { type BatchPredictions, batchPredictionMethods } from './batch-prediction/batch-prediction.js';
import type { InferenceConfig } from './config.js';
import type { ConnectionTaker } from './connection-door.js';
import { type ServerControl, serverControl } from './control.js';
import { LinkBroken, ProcessLink } from './process-link.js';
import { type WorkerCommands, workerCommands } from './worker-commands.js';

/** How a worker is started; tests start one from the sources. */
export interface WorkerProgram {
  file: string;
  args: string[];
}

export const builtWorker = (): WorkerProgram => ({
  file: createRequire(import.meta.url).resolve('#services/inference/worker.js'),
  args: [],
});

/** Messages beside the calls of the link. */
export type WorkerMessage = { worker: 'up' } | { worker: 'connectionTaken' } | { worker: 'connectionClosed' };
export type CoordinatorMessage = { coordinator: 'start'; config: InferenceConfig } | { coordinator: 'connection' };

/** A worker as a process of its own, seen from the coordinator. */
export class WorkerProcess implements ConnectionTaker {
  readonly commands: WorkerCommands;
  /** Resolves with the signal or the status when the process has ended and all that it said was heard. */
  readonly ended: Promise<string>;
  readonly #link: ProcessLink;
  #openConnections = 0;
  readonly #untaken: Socket[] = [];
  #passing: Socket | null = null;

  private constructor(
    private readonly child: ChildProcess,
    control: ServerControl,
    jobs: BatchPredictions,
  ) {
    this.#link = new ProcessLink(child);
    this.#link.serve(control, serverControl);
    this.#link.serve(jobs, batchPredictionMethods);
    this.commands = this.#link.remote<WorkerCommands>(workerCommands);
    child.on('message', (message: WorkerMessage) => {
      if (message.worker === 'connectionClosed') {
        this.#openConnections--;
      } else if (message.worker === 'connectionTaken') {
        this.#taken();
      }
    });
    this.ended = endOf(child);
    this.ended.then(() => this.#link.break());
    // Sending to a process that is about to end fails; its end is what counts.
    child.on('error', () => undefined);
  }

  /** Resolves when the process is there to be told what to serve; fails when it ends before that. */
  static async start(
    program: WorkerProgram,
    config: InferenceConfig,
    control: ServerControl,
    jobs: BatchPredictions,
  ): Promise<WorkerProcess> {
    const child = fork(program.file, program.args, {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const worker = new WorkerProcess(child, control, jobs);
    const up = new Promise<void>((resolve) => {
      child.on('message', (message: WorkerMessage) => {
        if (message.worker === 'up') {
          resolve();
        }
      });
    });
    const ended = worker.ended.then((how) => {
      throw new LinkBroken(`A worker ended before it was ready, with ${how}.`);
    });
    child.send({ coordinator: 'start', config } satisfies CoordinatorMessage);
    await Promise.race([up, ended]);
    return worker;
  }

  get pid(): number {
    return this.child.pid!;
  }

  get openConnections(): number {
    return this.#openConnections;
  }

  take(connection: Socket): void {
    this.#openConnections++;
    this.#untaken.push(connection);
    this.#passOn();
  }

  /** Connections that the process, which has ended, did not take: nobody has read from them, and another may serve them. */
  leftConnections(): Socket[] {
    return [...(this.#passing ? [this.#passing] : []), ...this.#untaken.splice(0)];
  }

  /** One at a time, and kept open here until it is taken: what Node has on its way to a process is lost when that ends. */
  #passOn(): void {
    const connection = this.#passing ? undefined : this.#untaken.shift();
    if (!connection) {
      return;
    }
    this.#passing = connection;
    this.child.send(
      { coordinator: 'connection' } satisfies CoordinatorMessage,
      connection,
      { keepOpen: true },
      (error) => {
        if (error && this.child.connected) {
          this.#openConnections--;
          this.#taken();
        }
      },
    );
  }

  #taken(): void {
    this.#passing?.destroy();
    this.#passing = null;
    this.#passOn();
  }

  /** Ends the process, after what it has in flight; resolves when it is gone. */
  async leave(): Promise<void> {
    const { ended } = this;
    if (this.child.connected) {
      this.child.disconnect();
    }
    await ended;
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }
}

/** Node's `close` would not come where it was this side that has disconnected. */
async function endOf(child: ChildProcess): Promise<string> {
  const [status, signal] = await once(child, 'exit');
  if (child.connected) {
    await once(child, 'disconnect');
  }
  return String(signal ?? `status ${status}`);
}
