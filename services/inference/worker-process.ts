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
  readonly #link: ProcessLink;
  #openConnections = 0;
  readonly #untaken: Socket[] = [];
  #isPassing = false;

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
        this.#isPassing = false;
        this.#passOn();
      }
    });
    child.once('exit', () => this.#link.break());
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

  /** Resolves with the signal or the status when the process has ended. */
  get ended(): Promise<string> {
    const { exitCode, signalCode } = this.child;
    const isOver = exitCode !== null || signalCode !== null;
    const how = (status: unknown, signal: unknown) => String(signal ?? `status ${status}`);
    return isOver
      ? Promise.resolve(how(exitCode, signalCode))
      : once(this.child, 'exit').then(([status, signal]) => how(status, signal));
  }

  take(connection: Socket): void {
    this.#openConnections++;
    this.#untaken.push(connection);
    this.#passOn();
  }

  /** Connections that the process, which has ended, never got: they are whole, and another may serve them. */
  leftConnections(): Socket[] {
    return this.#untaken.splice(0);
  }

  /**
   * One at a time: a handle that Node has queued behind another is lost with the process, and its client would wait for ever. The
   * one on its way is closed with the channel.
   */
  #passOn(): void {
    const connection = this.#isPassing ? undefined : this.#untaken.shift();
    if (!connection) {
      return;
    }
    this.#isPassing = true;
    this.child.send({ coordinator: 'connection' } satisfies CoordinatorMessage, connection, {}, (error) => {
      if (error && 'code' in error && error.code === 'ERR_IPC_CHANNEL_CLOSED') {
        // The end of the process is not yet seen.
        this.#untaken.unshift(connection);
      } else if (error) {
        connection.destroy();
      }
    });
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
