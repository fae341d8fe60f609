import type { Socket } from 'node:net';
import { contracts } from '../../proto/index.js';
import { CallServer } from './call-server.js';
import { messageBytesDefault } from './config.js';
import { ServiceError } from './errors.js';
import { ActiveCalls, type ImplementedContract, implement, routesOf } from './handler.js';
import { Health } from './health.js';
import type { Logger } from './log.js';
import type { Metrics } from './metrics.js';
import { reflectionServices } from './reflection.js';

export interface ServerOptions {
  log: Logger;
  metrics: Metrics;
  /** What `GetMetrics` answers. Default: the metrics of this process. */
  metricsText?: () => Promise<string>;
  implementations: ImplementedContract[];
  /** Largest message taken or sent. Default 64 MiB. */
  messageBytesMax?: number;
}

export interface ListeningServerOptions extends ServerOptions {
  host: string;
  /** 0: any free port. */
  port: number;
}

export interface AnyServer {
  /** What `grpc.health.v1` answers for the server and each of its services. */
  setServing(serving: boolean): void;
  /** Lets calls in flight finish for at most `graceMs`, then ends what is left. */
  stop(graceMs: number): Promise<void>;
}

export interface RunningServer extends AnyServer {
  port: number;
}

/** A server without a port of its own. */
export interface InjectedServer extends AnyServer {
  /** Serves a connection that was accepted elsewhere. */
  inject(connection: Socket): void;
}

/** Starts a gRPC server with health, reflection and metrics; it reports SERVING once `setServing(true)` is called. */
export async function startServer(options: ListeningServerOptions): Promise<RunningServer> {
  const { calls, server } = build(options);
  const { host, port } = options;
  try {
    return { port: await calls.listen(host, port), ...server };
  } catch (error) {
    throw portError(error as Error, host, port);
  }
}

/** As `startServer`, for connections that another process accepts. */
export function startInjectedServer(options: ServerOptions): InjectedServer {
  const { calls, server } = build(options);
  return { inject: (connection) => void calls.serve(connection), ...server };
}

function build(options: ServerOptions): { calls: CallServer; server: AnyServer } {
  const { log, metrics, messageBytesMax = messageBytesDefault } = options;
  const metricsText = options.metricsText ?? (() => metrics.registry.metrics());
  const served = [...options.implementations, metricsService(metricsText)];
  const health = new Health(['', ...served.map(({ contract }) => contract.name)]);
  served.push(health.implementation);
  served.push(...reflectionServices(served.map(({ contract }) => contract.name)));
  const stopping = new AbortController();
  const active = new ActiveCalls();
  const host = { log, metrics, stopping: stopping.signal, active };
  const routes = new Map(served.flatMap((implemented) => routesOf(implemented, host)));
  const calls = new CallServer(routes, messageBytesMax, log);
  const server: AnyServer = {
    setServing: (serving) => health.setServing(serving),
    async stop(graceMs) {
      health.setServing(false);
      stopping.abort();
      await finish(calls, active, graceMs);
    },
  };
  return { calls, server };
}

/** Takes no more calls and waits for those there are, and for methods whose caller has gone; after `graceMs` breaks off. */
function finish(calls: CallServer, active: ActiveCalls, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => {
      calls.destroy();
      resolve();
    }, graceMs);
    calls.drain().then(async () => {
      await active.ended();
      clearTimeout(force);
      resolve();
    });
  });
}

function metricsService(metricsText: () => Promise<string>): ImplementedContract {
  return implement(contracts.metrics, {
    GetMetrics: async () => ({ text: await metricsText() }),
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
