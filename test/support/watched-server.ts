import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import { CallServer } from '../../services/platform/call-server.js';
import { ActiveCalls, type ImplementedContract, routesOf } from '../../services/platform/handler.js';
import type { Http2Connection } from '../../services/platform/http2/connection.js';
import { Metrics } from '../../services/platform/metrics.js';

/** A server whose connections can be looked into. */
export interface WatchedServer {
  port: number;
  connections: Http2Connection[];
  active: ActiveCalls;
}

export async function startWatchedServer(implemented: ImplementedContract): Promise<WatchedServer> {
  const active = new ActiveCalls();
  const { signal: stopping } = new AbortController();
  const log = pino({ level: 'silent' });
  const host = { log, metrics: new Metrics('test'), stopping, active };
  const routes = new Map(routesOf(implemented, host));
  const calls = new CallServer(routes, 2 ** 26, log);
  const connections: Http2Connection[] = [];
  const listener = createServer((socket) => {
    connections.push(calls.serve(socket));
  });
  await once(listener.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    listener.close();
    for (const connection of connections) {
      connection.destroy();
    }
  });
  return { port: (listener.address() as AddressInfo).port, connections, active };
}
