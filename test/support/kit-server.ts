import * as grpc from '@grpc/grpc-js';
import { type Logger, pino } from 'pino';
import { afterEach } from 'vitest';
import { type Contract, createClient, type RpcClient } from '../../proto/index.js';
import type { ImplementedContract } from '../../services/platform/handler.js';
import { Metrics } from '../../services/platform/metrics.js';
import { type RunningServer, startServer } from '../../services/platform/server.js';

/** A server of the kit on a free port, stopped after the test. */
export interface KitServer extends RunningServer {
  address: string;
  /** What was logged so far. */
  logged: Record<string, unknown>[];
  client<Client, Handlers>(contract: Contract<Client, Handlers>): RpcClient<Client>;
  rawClient(): grpc.Client;
}

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) {
    await close();
  }
});

export function startKitServer(...implementations: ImplementedContract[]): Promise<KitServer> {
  return startLimitedKitServer({}, ...implementations);
}

/** As `startKitServer`; its clients have the same limit of a message. */
export async function startLimitedKitServer(
  limits: { messageBytesMax?: number },
  ...implementations: ImplementedContract[]
): Promise<KitServer> {
  const logged: Record<string, unknown>[] = [];
  const log: Logger = pino({ level: 'debug' }, { write: (line: string) => void logged.push(JSON.parse(line)) });
  const options = { host: '127.0.0.1', port: 0, log, metrics: new Metrics('test'), implementations, ...limits };
  const server = await startServer(options);
  server.setServing(true);
  closers.push(() => server.stop(0));
  const address = `127.0.0.1:${server.port}`;
  return {
    ...server,
    address,
    logged,
    client(contract) {
      const client = createClient(contract, address, limits);
      closers.push(() => client.close());
      return client;
    },
    rawClient() {
      const client = new grpc.Client(address, grpc.credentials.createInsecure());
      closers.push(() => client.close());
      return client;
    },
  };
}

/** A promise and what settles it. */
export function deferred<T = void>() {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** Rejects with the signal's reason once it is aborted. */
export function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const abort = () => reject(signal.reason);
    signal.aborted ? abort() : signal.addEventListener('abort', abort);
  });
}
