import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { ServiceError } from '../platform/errors.js';
import type { DatasetVersion } from './dataset.js';
import type { ImportAccess } from './import/gather.js';
import type { ImportProgress } from './import/import-file.js';

/** What an import tells: how far it is, and in the end the version. */
export type ImportEvent = ImportProgress | DatasetVersion;
type RunImport = (signal: AbortSignal) => AsyncIterable<ImportEvent>;

const keptMax = 1_000;
const unattendedMax = 8;

/** Imports that run, and those that have ended a while ago: anybody can follow or cancel them. */
export class TrackedImports {
  /** By id, oldest first. */
  readonly #all = new Map<string, TrackedImport>();

  /** @param access where imports may read */
  constructor(readonly access: ImportAccess) {}

  /** Imports at the pace of the caller. Left early, it leaves nothing. */
  async *attended(dataset: string, signal: AbortSignal, run: RunImport): AsyncGenerator<ImportEvent> {
    const tracked = this.#track(dataset);
    try {
      for await (const event of run(AbortSignal.any([signal, tracked.signal]))) {
        tracked.tell(event);
        yield event;
      }
    } catch (error) {
      tracked.fail(error);
      throw error;
    } finally {
      tracked.fail(cancelled());
    }
  }

  /** Imports whether somebody looks on or not. */
  start(dataset: string, run: RunImport): TrackedImport {
    if (this.#running.length >= unattendedMax) {
      const message = `At most ${unattendedMax} imports run at once. Try again when one has ended.`;
      throw new ServiceError('RESOURCE_EXHAUSTED', 'TOO_MANY_IMPORTS', message);
    }
    const tracked = this.#track(dataset);
    void this.#finish(tracked, run);
    return tracked;
  }

  async #finish(tracked: TrackedImport, run: RunImport): Promise<void> {
    try {
      for await (const event of run(tracked.signal)) {
        tracked.tell(event);
      }
    } catch (error) {
      // Whoever asks for news gets it.
      tracked.fail(error);
    }
  }

  #track(dataset: string): TrackedImport {
    const tracked = new TrackedImport(`i${randomBytes(12).toString('hex')}`, dataset);
    this.#all.set(tracked.id, tracked);
    for (const [id, { isRunning }] of this.#all) {
      if (this.#all.size > keptMax && !isRunning) {
        this.#all.delete(id);
      }
    }
    return tracked;
  }

  get #running(): TrackedImport[] {
    return [...this.#all.values()].filter(({ isRunning }) => isRunning);
  }

  get(id: string): TrackedImport {
    const tracked = this.#all.get(id);
    if (!tracked) {
      const message = `There is no import ${JSON.stringify(id)}; it may have ended long ago, or with the service.`;
      throw new ServiceError('NOT_FOUND', 'IMPORT_NOT_FOUND', message);
    }
    return tracked;
  }

  /** The newest that is running into a dataset; null: none is. */
  runningInto(dataset: string): TrackedImport | null {
    return this.#running.findLast((tracked) => tracked.dataset === dataset) ?? null;
  }

  /** Ends all that run, and gives them `waitMs` to clean up. */
  async stop(waitMs: number): Promise<void> {
    await Promise.all(this.#running.map((tracked) => tracked.cancel(waitMs)));
  }
}

/** One import, as those see it who did not begin it. */
export class TrackedImport {
  readonly #controller = new AbortController();
  readonly #changes = new EventEmitter().setMaxListeners(0);
  /** Goes up with whatever is told. */
  sequence = 0;
  progress: ImportProgress | null = null;
  /** Once it is done. */
  version: DatasetVersion | null = null;
  #failure: { error: unknown } | null = null;
  #hasFetched = false;

  constructor(
    readonly id: string,
    readonly dataset: string,
  ) {}

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get isRunning(): boolean {
    return !this.version && !this.#failure;
  }

  /** How much of it is done, from 0 to 1; where addresses are fetched first, that is the first half. */
  get share(): number {
    if (!this.progress) {
      return 0;
    }
    const { bytesDone, bytesTotal, fetchedBytes, fetchBytesTotal } = this.progress;
    const read = bytesTotal > 0 ? bytesDone / bytesTotal : 0;
    if (!this.#hasFetched) {
      return read;
    }
    return fetchBytesTotal > 0 ? fetchedBytes / fetchBytesTotal / 2 : (1 + read) / 2;
  }

  tell(event: ImportEvent): void {
    if ('digest' in event) {
      this.version = event;
    } else {
      this.progress = event;
      this.#hasFetched ||= event.fetchBytesTotal > 0;
    }
    this.#change();
  }

  /** Without effect once it has ended. */
  fail(error: unknown): void {
    if (this.isRunning) {
      this.#failure = { error };
      this.#change();
    }
  }

  #change(): void {
    this.sequence++;
    this.#changes.emit('change');
  }

  /** Resolves once there is more to tell than at `sequence`. @throws what the import failed with */
  async news(sequence: number, signal: AbortSignal): Promise<void> {
    while (this.sequence <= sequence && this.isRunning) {
      await once(this.#changes, 'change', { signal });
    }
    if (this.#failure) {
      throw this.#failure.error;
    }
  }

  /** Ends it. @returns whether that has come about within `waitMs`, or it was over before */
  async cancel(waitMs: number): Promise<boolean> {
    this.#controller.abort(cancelled());
    const timeout = AbortSignal.timeout(waitMs);
    while (this.isRunning && !timeout.aborted) {
      await once(this.#changes, 'change', { signal: timeout }).catch(() => undefined);
    }
    return !this.isRunning;
  }
}

function cancelled(): ServiceError {
  return new ServiceError('CANCELLED', 'IMPORT_CANCELLED', 'The import was cancelled.');
}
