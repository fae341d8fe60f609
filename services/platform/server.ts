import * as grpc from '@grpc/grpc-js';
import { contracts } from '../../proto/index.js';
import { ServiceError } from './errors.js';
import { ActiveCalls, addService, type ImplementedContract, implement } from './handler.js';
import { Health } from './health.js';
import type { Logger } from './log.js';
import type { Metrics } from './metrics.js';
import { reflectionServices } from './reflection.js';

/** Largest message taken or sent, in the whole mesh. */
export const messageBytesMax = 64 * 1024 * 1024;

export interface ServerOptions {
  host: string;
  /** 0: any free port. */
  port: number;
  log: Logger;
  metrics: Metrics;
  implementations: ImplementedContract[];
}

export interface RunningServer {
  port: number;
  /** What `grpc.health.v1` answers for the server and each of its services. */
  setServing(serving: boolean): void;
  /** Lets calls in flight finish for at most `graceMs`, then ends what is left. */
  stop(graceMs: number): Promise<void>;
}

/** Starts a gRPC server with health, reflection and metrics; it reports SERVING once `setServing(true)` is called. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { log, metrics } = options;
  const served = [...options.implementations, metricsService(metrics)];
  const health = new Health(['', ...served.map(({ contract }) => contract.name)]);
  served.push(health.implementation);
  served.push(...reflectionServices(served.map(({ contract }) => contract.name)));
  const server = new grpc.Server({
    'grpc.max_receive_message_length': messageBytesMax,
    'grpc.max_send_message_length': messageBytesMax,
    // Nobody reads what it would gather of every call.
    'grpc.enable_channelz': 0,
    'grpc-node.flow_control_window': 4 * 1024 * 1024,
  });
  const stopping = new AbortController();
  const active = new ActiveCalls();
  for (const implemented of served) {
    addService(server, implemented, { log, metrics, stopping: stopping.signal, active });
  }
  const port = await bind(server, options.host, options.port);
  return {
    port,
    setServing: (serving) => health.setServing(serving),
    async stop(graceMs) {
      health.setServing(false);
      stopping.abort();
      await finish(server, active, graceMs);
    },
  };
}

/** Takes no more calls and waits for those there are, and for methods whose caller has gone; after `graceMs` breaks off. */
function finish(server: grpc.Server, active: ActiveCalls, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, graceMs);
    server.tryShutdown(async () => {
      await active.ended();
      clearTimeout(force);
      resolve();
    });
  });
}

function metricsService(metrics: Metrics): ImplementedContract {
  return implement(contracts.metrics, {
    GetMetrics: async () => ({ text: await metrics.registry.metrics() }),
  });
}

function bind(server: grpc.Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const at = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
    server.bindAsync(at, grpc.ServerCredentials.createInsecure(), (error, bound) => {
      if (error) {
        reject(portError(error, host, port));
      } else {
        resolve(bound);
      }
    });
  });
}

/** What an operator can do about a port that cannot be bound. */
export function portError(error: Error, host: string, port: number): ServiceError {
  const taken = error.message.includes('EADDRINUSE');
  const message = taken
    ? `Port ${port} on ${host} is taken. Stop the program that listens there, or choose other ports with --port-base.`
    : `Port ${port} on ${host} cannot be bound: ${error.message}.`;
  return new ServiceError('FAILED_PRECONDITION', taken ? 'PORT_TAKEN' : 'PORT_UNAVAILABLE', message, { cause: error });
}
