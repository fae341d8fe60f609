import { contracts, createClient } from '../../proto/index.js';
import type { ServiceName } from '../platform/config.js';
import type { Logger } from '../platform/log.js';
import { Gauge, type Metrics } from '../platform/metrics.js';
import { mergeMetrics } from './metrics-text.js';

/** The metrics of all services in one text; a service that does not answer in time is down and left out. */
export class MeshMetrics {
  readonly #services;
  readonly #up: Gauge<'service'>;

  constructor(
    addresses: ReadonlyMap<ServiceName, string>,
    private readonly own: Metrics,
    private readonly limits: { messageBytesMax: number; metricsTimeoutMs: number },
    private readonly log: Logger,
  ) {
    this.#services = [...addresses].map(([name, address]) => ({
      name,
      client: createClient(contracts.metrics, address, { messageBytesMax: limits.messageBytesMax }),
    }));
    this.#up = new Gauge({
      name: 'millrace_service_up',
      help: 'Whether a service of the mesh answers: 1 or 0.',
      labelNames: ['service'],
      registers: [own.registry],
    });
    this.#up.set({ service: 'gateway' }, 1);
  }

  async collect(): Promise<string> {
    const texts = await Promise.all(
      this.#services.map(async ({ name, client }) => {
        try {
          const { text } = await client.getMetrics({}, { timeoutMs: this.limits.metricsTimeoutMs });
          this.#up.set({ service: name }, 1);
          return text;
        } catch (error) {
          this.#up.set({ service: name }, 0);
          this.log.debug({ err: error, of: name }, 'no metrics');
          return '';
        }
      }),
    );
    return mergeMetrics([await this.own.registry.metrics(), ...texts]);
  }

  close(): void {
    for (const { client } of this.#services) {
      client.close();
    }
  }
}
