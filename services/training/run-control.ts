import type { EventWriter } from './event-writer.js';
import type { Happening } from './job.js';
import type { JobState } from './job-state.js';

/** Why a run may be stopped from outside. */
export interface RunSignals {
  /** Its job was cancelled. */
  cancelled: AbortSignal;
  /** Its job is to pause where it stands. */
  paused: AbortSignal;
  /** The service stops; the job goes on when it starts again. */
  stopping: AbortSignal;
}

/** How the phases of a run are stopped, and how they tell what happens. */
export class RunControl {
  /** Ends the run within a step: because its owner wants it, or because of a failure. */
  readonly signal: AbortSignal;
  /** The same, or to pause: that is not done in the midst of what a checkpoint cannot hold. */
  readonly signalOrPause: AbortSignal;
  /** Aborted when something that runs beside the training fails. */
  readonly #failure = new AbortController();
  #told: Promise<void> = Promise.resolve();

  constructor(
    private readonly events: EventWriter,
    private readonly signals: RunSignals,
  ) {
    const { cancelled, stopping, paused } = signals;
    this.signal = AbortSignal.any([cancelled, stopping, this.#failure.signal]);
    this.signalOrPause = AbortSignal.any([this.signal, paused]);
  }

  /** Whether the job does not go on after this run, as far as is known. */
  get isLost(): boolean {
    return this.signals.cancelled.aborted || this.#failure.signal.aborted;
  }

  /** When the newest event is kept. */
  get told(): Promise<void> {
    return this.#told;
  }

  /** Ends whatever else is under way. Answers the first failure: it is the cause of those that follow. */
  fail(error: unknown): unknown {
    this.#failure.abort(error);
    return this.#failure.signal.reason;
  }

  enter(state: JobState): void {
    this.emit({ kind: 'stateChange', state });
  }

  say(severity: 'info' | 'warning', text: string): void {
    this.emit({ kind: 'log', severity, text });
  }

  /** Training does not wait for its events; one that cannot be kept ends the run. */
  emit(happening: Happening): void {
    this.#told = this.events.append(happening);
    this.watch(this.#told);
  }

  /** Has the run fail with what runs beside it. */
  watch(beside: Promise<void>): void {
    beside.catch((error) => this.#failure.abort(error));
  }
}
