import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client';

export { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Metrics of one service process; every series carries `service`. */
export class Metrics {
  readonly registry = new Registry();
  readonly handled: Counter<'method' | 'code'>;
  readonly handlingSeconds: Histogram<'method'>;

  constructor(service: string) {
    this.registry.setDefaultLabels({ service });
    collectDefaultMetrics({ register: this.registry });
    this.handled = new Counter({
      name: 'grpc_server_handled_total',
      help: 'Calls that ended, by method and status code.',
      labelNames: ['method', 'code'],
      registers: [this.registry],
    });
    this.handlingSeconds = new Histogram({
      name: 'grpc_server_handling_seconds',
      help: 'Time from the start of a call to its end.',
      labelNames: ['method'],
      buckets: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers: [this.registry],
    });
  }
}
