import { contracts, createClient } from '../../proto/index.js';
import { implement } from '../../services/platform/handler.js';
import { Metrics } from '../../services/platform/metrics.js';
import { type RunningServer, startServer } from '../../services/platform/server.js';
import { deferred, untilAborted } from './kit-server.js';
import { silentLog } from './serving.js';

/** Preprocessing behind a gate: while it is shut, a dataset's rows stop after its first record batches. */
export class GatedPreprocessing {
  #gate = deferred();
  #server: RunningServer | null = null;
  #port = 0;
  readonly #service;
  readonly #flight;

  /** @param port of the real service */
  constructor(port: number) {
    this.#service = createClient(contracts.preprocessing, `127.0.0.1:${port}`);
    this.#flight = createClient(contracts.flight, `127.0.0.1:${port}`);
  }

  /** Begins to answer, on the same port each time. @returns the port */
  async start(): Promise<number> {
    this.#server = await startServer({
      host: '127.0.0.1',
      port: this.#port,
      log: silentLog,
      metrics: new Metrics('preprocessing'),
      implementations: [
        implement(contracts.preprocessing, {
          GetDatasetVersion: (request) => this.#service.getDatasetVersion(request),
        }),
        implement(contracts.flight, {
          DoGet: (ticket, { signal }) => this.#rows(ticket, signal),
          DoPut: (requests, { signal }) => this.#flight.doPut(requests, { signal }),
        }),
      ],
    });
    this.#server.setServing(true);
    this.#port = this.#server.port;
    return this.#port;
  }

  open(): void {
    this.#gate.resolve();
  }

  shut(): void {
    this.#gate = deferred();
  }

  /** Stops answering at once, in the middle of whatever it does. */
  async stop(): Promise<void> {
    await this.#server?.stop(0);
    this.#server = null;
  }

  async close(): Promise<void> {
    await this.stop();
    this.#service.close();
    this.#flight.close();
  }

  async *#rows(ticket: { ticket: Buffer }, signal: AbortSignal) {
    // Schema, dictionary, a record batch, and one more: Arrow's reader looks one message ahead.
    const passedMax = 4;
    let sent = 0;
    for await (const { dataHeader, dataBody } of this.#flight.doGet(ticket, { signal })) {
      yield { dataHeader, dataBody: [dataBody] };
      if (++sent >= passedMax) {
        await Promise.race([this.#gate.promise, untilAborted(signal)]);
      }
    }
  }
}
