import { contracts } from '../../proto/index.js';
import { quote, ServiceError } from './errors.js';
import { type ImplementedContract, implement } from './handler.js';

type ServingStatus = 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN';

/**
 * `grpc.health.v1.Health` of one server. The ready-made package is not used because its watches never end, so that every
 * stop would wait for its whole grace.
 */
export class Health {
  readonly implementation: ImplementedContract;
  #serving = false;
  readonly #wakers = new Set<() => void>();

  /** @param names full names of services; the empty name is the server as a whole */
  constructor(private readonly names: string[]) {
    this.implementation = implement(contracts.health, {
      Check: async ({ service }) => ({ status: this.#known(service) }),
      List: async () => ({
        statuses: Object.fromEntries(names.map((name) => [name, { status: this.#statusOf(name) }])),
      }),
      Watch: ({ service }, { signal, stopping }) => this.#watch(service, AbortSignal.any([signal, stopping])),
    });
  }

  setServing(serving: boolean): void {
    this.#serving = serving;
    for (const wake of this.#wakers) {
      wake();
    }
  }

  #statusOf(service: string): ServingStatus {
    if (!this.names.includes(service)) {
      return 'SERVICE_UNKNOWN';
    }
    return this.#serving ? 'SERVING' : 'NOT_SERVING';
  }

  #known(service: string): ServingStatus {
    const status = this.#statusOf(service);
    if (status === 'SERVICE_UNKNOWN') {
      const message = `Expected \`service\` to be one of ${this.names.map(quote).join(', ')} but received ${quote(service)}.`;
      throw new ServiceError('NOT_FOUND', 'SERVICE_UNKNOWN', message);
    }
    return status;
  }

  /** The status now and after each change; the last one a stopping server sends is NOT_SERVING. */
  async *#watch(service: string, ended: AbortSignal): AsyncGenerator<{ status: ServingStatus }, void> {
    let sent: ServingStatus | null = null;
    let wake = () => {};
    const waker = () => wake();
    this.#wakers.add(waker);
    ended.addEventListener('abort', waker);
    try {
      for (;;) {
        const status = this.#statusOf(service);
        if (status !== sent) {
          sent = status;
          yield { status };
        } else if (ended.aborted) {
          return;
        } else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    } finally {
      ended.removeEventListener('abort', waker);
      this.#wakers.delete(waker);
    }
  }
}
