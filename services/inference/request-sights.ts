import type { Logger } from '../platform/log.js';
import type { Caller, RequestSpan } from './admission.js';
import type { BatchTiming } from './batch-queue.js';
import type { RequestLogSettings, RequestSampling } from './control.js';
import type { LoadedVersion } from './loaded-version.js';

/** What is told of a request when it has been answered. */
export interface AnsweredRequest {
  id: string;
  rows: number;
  /** As `performance.now()`. */
  begin: number;
}

/** Which requests are looked at closely: those of a trace, and a sample that is logged. All others cost nothing. */
export class RequestSights {
  readonly #counts = new WeakMap<RequestSampling, { seen: number; drawn: number }>();
  settings: RequestLogSettings = { server: { isOn: false, rate: 1, count: null }, models: new Map() };

  constructor(private readonly log: Logger) {}

  /** Null: nobody looks at this one. */
  of(version: LoadedVersion, { span = null }: Caller): RequestSight | null {
    const log = this.#takes(version.model) ? this.log : null;
    return log || span ? new RequestSight(version, span, log) : null;
  }

  #takes(model: string): boolean {
    const sampling = this.settings.models.get(model) ?? this.settings.server;
    return sampling.isOn && this.#draws(sampling);
  }

  #draws(sampling: RequestSampling): boolean {
    let counts = this.#counts.get(sampling);
    if (!counts) {
      counts = { seen: 0, drawn: 0 };
      this.#counts.set(sampling, counts);
    }
    counts.seen++;
    const isDrawn = counts.seen % sampling.rate === 0 && counts.drawn < (sampling.count ?? Number.POSITIVE_INFINITY);
    counts.drawn += isDrawn ? 1 : 0;
    return isDrawn;
  }
}

/** One request that is looked at. */
export class RequestSight {
  /** All zero where the answer was cached. */
  readonly timing: BatchTiming = { enqueued: 0, began: 0, ended: 0, batchRows: 0 };

  constructor(
    private readonly version: LoadedVersion,
    private readonly span: RequestSpan | null,
    private readonly log: Logger | null,
  ) {}

  tell({ id, rows, begin }: AnsweredRequest): void {
    const { model, number } = this.version;
    const { enqueued, began, ended, batchRows } = this.timing;
    if (this.span) {
      this.span.set({ 'millrace.model': model, 'millrace.version': number, 'millrace.rows': rows });
      if (batchRows > 0) {
        this.span.addPart('queue', enqueued, began, {});
        this.span.addPart('compute', began, ended, { 'millrace.batch_rows': batchRows });
      }
    }
    const times = { queueMs: began - enqueued, computeMs: ended - began, totalMs: performance.now() - begin };
    this.log?.info({ model, version: number, id, rows, batchRows, ...times }, 'request');
  }
}
