import type { Logger } from '../platform/log.js';
import { Backoff, sleep } from './backoff.js';
import type { BatchPredictions } from './batch-prediction/batch-prediction.js';
import type { InferenceConfig } from './config.js';
import type { ConnectionDoor } from './connection-door.js';
import type { ServerControl } from './control.js';
import type { Fleet } from './fleet.js';
import type { WorkerCommands } from './worker-commands.js';
import { WorkerProcess, type WorkerProgram } from './worker-process.js';

export interface WorkersOptions {
  config: InferenceConfig;
  program: WorkerProgram;
  control: ServerControl;
  jobs: BatchPredictions;
  fleet: Fleet;
  door: ConnectionDoor;
  log: Logger;
  /** Called when a worker has ended unasked, after it has left the fleet. */
  onLost: (worker: WorkerCommands) => void;
}

/** A worker that served this long was well: when it ends, the next one is started without delay. */
const healthyMs = 30_000;

/** Keeps as many worker processes as there are to be. */
export class Workers {
  readonly #stop = new AbortController();
  readonly #alive = new Set<WorkerProcess>();
  readonly #places: Promise<void>[] = [];

  constructor(private readonly options: WorkersOptions) {}

  /** Resolves when all workers serve; fails when one cannot start. */
  async start(): Promise<void> {
    const { workers } = this.options.config;
    const first = await Promise.all(Array.from({ length: workers }, () => this.#enter()));
    for (const worker of first) {
      this.#places.push(this.#keep(worker));
    }
  }

  /** Process ids of the workers that serve. */
  get pids(): number[] {
    return [...this.#alive].map(({ pid }) => pid);
  }

  /** Lets calls finish for at most `graceMs`; then no process is left. */
  async stop(graceMs: number): Promise<void> {
    this.#stop.abort();
    await this.options.fleet.stop(graceMs);
    await Promise.all([...this.#alive].map((worker) => worker.leave()));
    await Promise.all(this.#places);
  }

  /** Starts a process, tells it everything, and opens the door to it. */
  async #enter(): Promise<WorkerProcess> {
    const { program, config, control, jobs, fleet, door } = this.options;
    const worker = await WorkerProcess.start(program, config, control, jobs);
    try {
      await fleet.join(worker.commands);
    } catch (error) {
      worker.kill();
      throw error;
    }
    this.#alive.add(worker);
    door.add(worker);
    return worker;
  }

  /** The place of one worker: whenever it ends, another takes it. */
  async #keep(first: WorkerProcess): Promise<void> {
    const { door, fleet, log, onLost } = this.options;
    const { signal } = this.#stop;
    const backoff = new Backoff(sleep);
    for (let worker: WorkerProcess | null = first; worker; worker = await this.#replace(backoff)) {
      const begin = Date.now();
      const how = await worker.ended;
      this.#alive.delete(worker);
      door.remove(worker);
      for (const connection of worker.leftConnections()) door.handOver(connection);
      fleet.leave(worker.commands);
      onLost(worker.commands);
      if (!signal.aborted) {
        log.warn({ worker: worker.pid, how }, 'a worker ended, starting another');
      }
      if (Date.now() - begin > healthyMs) {
        backoff.reset();
      }
    }
  }

  async #replace(backoff: Backoff): Promise<WorkerProcess | null> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await backoff.wait(signal);
      if (signal.aborted) {
        return null;
      }
      try {
        const worker = await this.#enter();
        this.options.log.info({ worker: worker.pid }, 'a worker was replaced');
        if (signal.aborted) {
          await worker.leave();
        }
        return worker;
      } catch (error) {
        this.options.log.error({ err: error }, 'a worker cannot be replaced, trying again');
      }
    }
    return null;
  }
}
