import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { metricsContentType } from '../platform/metrics.js';
import { portError } from '../platform/server.js';

export interface MetricsServer {
  port: number;
  stop(): Promise<void>;
}

/** `GET /metrics` for Prometheus, on a port of its own as Triton has it. */
export async function startMetricsServer(
  host: string,
  port: number,
  metricsText: () => Promise<string>,
): Promise<MetricsServer> {
  const server = createServer(async (request, response) => {
    const isMetrics = request.url?.split('?')[0] === '/metrics';
    if (!isMetrics || (request.method !== 'GET' && request.method !== 'HEAD')) {
      response.writeHead(isMetrics ? 405 : 404, { 'content-type': 'text/plain' }).end('Here is only GET /metrics.\n');
      return;
    }
    try {
      const text = await metricsText();
      response.writeHead(200, { 'content-type': metricsContentType }).end(text);
    } catch (error) {
      response.writeHead(500, { 'content-type': 'text/plain' }).end(`${(error as Error).message}\n`);
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(portError(error, host, port)));
    server.listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
