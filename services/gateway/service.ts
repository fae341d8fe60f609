import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { contracts, createClient } from '../../proto/index.js';
import { type ServiceName, serviceAddress, servicePort } from '../platform/config.js';
import type { Logger } from '../platform/log.js';
import type { RunningService } from '../platform/main.js';
import { Counter, Histogram, Metrics } from '../platform/metrics.js';
import { portError } from '../platform/server.js';
import { Teardown } from '../platform/teardown.js';
import type { GatewayConfig } from './config.js';
import { createApp } from './http-app.js';
import { MeshMetrics } from './mesh-metrics.js';
import { modelRoutes } from './model-routes.js';
import { oipRoutes } from './oip-routes.js';
import { describeRoutes } from './openapi.js';
import { predictionRoutes } from './prediction-routes.js';
import { repositoryRoutes } from './repository-routes.js';
import { addRoutes, type Route } from './routes.js';
import { settingsRoutes } from './settings-routes.js';
import { sharedMemoryRoutes } from './shared-memory-routes.js';

/** Starts the HTTP door of the mesh. It stays up while the services behind it are down, and says so. */
export async function startGateway(config: GatewayConfig, log: Logger): Promise<RunningService> {
  const teardown = new Teardown();
  try {
    const addresses = addressesOf(config);
    const { messageBytesMax } = config;
    const inference = createClient(contracts.inference, addresses.get('inference')!, { messageBytesMax });
    teardown.add(() => inference.close());
    const prediction = createClient(contracts.prediction, addresses.get('inference')!, { messageBytesMax });
    teardown.add(() => prediction.close());
    const routes = [
      ...oipRoutes(inference, config),
      ...modelRoutes(inference),
      ...repositoryRoutes(inference, config.loadTimeoutMs),
      ...sharedMemoryRoutes(inference),
      ...settingsRoutes(inference),
      ...predictionRoutes(prediction, config.inferTimeoutMs),
    ];
    const metrics = new Metrics('gateway');
    const mesh = new MeshMetrics(addresses, metrics, config, log);
    teardown.add(() => mesh.close());

    const app = createApp(log, config);
    teardown.add(() => stop(app, config.stopGraceMs));
    observe(app, metrics);
    addRoutes(app, describeRoutes([...routes, metricsRoute(mesh, metrics.registry.contentType)]));
    const port = await listen(app, config.host, servicePort(config, 'gateway'));
    return { port, stop: () => teardown.run() };
  } catch (error) {
    await teardown.run();
    throw error;
  }
}

function metricsRoute(mesh: MeshMetrics, contentType: string): Route {
  return {
    method: 'GET',
    path: '/metrics',
    operation: 'metrics',
    summary: 'Metrics of every service of the mesh, in the text format of Prometheus.',
    takes: null,
    gives: null,
    otherMedia: { gives: { type: 'text/plain', means: 'Prometheus 0.0.4' } },
    handle: async ({ reply }) => reply.type(contentType).send(await mesh.collect()),
  };
}

function addressesOf(config: GatewayConfig): Map<ServiceName, string> {
  return new Map([
    ['inference', serviceAddress(config, config.inferenceAddress, 'inference')],
    ['registry', serviceAddress(config, config.registryAddress, 'registry')],
    ['training', serviceAddress(config, config.trainingAddress, 'training')],
    ['preprocessing', serviceAddress(config, config.preprocessingAddress, 'preprocessing')],
  ]);
}

function observe(app: FastifyInstance, { registry }: Metrics): void {
  const handled = new Counter({
    name: 'millrace_http_requests_total',
    help: 'HTTP requests that ended, by route and status.',
    labelNames: ['method', 'route', 'status'],
    registers: [registry],
  });
  const seconds = new Histogram({
    name: 'millrace_http_request_seconds',
    help: 'Time from the start of an HTTP request to its end.',
    labelNames: ['method', 'route'],
    registers: [registry],
  });
  app.addHook('onResponse', async (request, reply) => {
    const { method } = request;
    const route = request.routeOptions.config.path ?? 'none';
    handled.inc({ method, route, status: reply.statusCode });
    seconds.observe({ method, route }, reply.elapsedTime / 1_000);
  });
}

async function listen(app: FastifyInstance, host: string, port: number): Promise<number> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    throw portError(error as Error, host, port);
  }
  return (app.server.address() as AddressInfo).port;
}

/** Lets requests in flight finish for at most `graceMs`. */
async function stop(app: FastifyInstance, graceMs: number): Promise<void> {
  const force = setTimeout(() => app.server.closeAllConnections(), graceMs);
  try {
    await app.close();
  } finally {
    clearTimeout(force);
  }
}
