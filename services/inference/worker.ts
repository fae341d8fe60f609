import type { Socket } from 'node:net';
import { createLog } from '../platform/log.js';
import { exitWith, hasLostStarter, redirectGrpcLog } from '../platform/main.js';
import { type InjectedServer, startInjectedServer } from '../platform/server.js';
import { type BatchPredictions, batchPredictionMethods } from './batch-prediction/batch-prediction.js';
import { type ServerControl, serverControl } from './control.js';
import { ProcessLink } from './process-link.js';
import { ServingWorker } from './serving-worker.js';
import { workerCommands } from './worker-commands.js';
import type { CoordinatorMessage, WorkerMessage } from './worker-process.js';

const tell = (message: WorkerMessage) => process.send?.(message);

/** A worker goes when its coordinator says so, or has gone: signals to the whole group are the coordinator's to obey. */
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
  process.on(signal, () => undefined);
}

async function serve(
  config: Extract<CoordinatorMessage, { coordinator: 'start' }>['config'],
): Promise<ServingWorker<InjectedServer>> {
  const log = createLog('inference', config.logLevel);
  await redirectGrpcLog(log);
  const link = new ProcessLink(process);
  const control = link.remote<ServerControl>(serverControl);
  const jobs = link.remote<BatchPredictions>(batchPredictionMethods);
  const worker = await ServingWorker.start({ config, control, jobs, log }, startInjectedServer);
  link.serve(worker, workerCommands);
  process.on('disconnect', () => {
    worker.stop(config.stopGraceMs).then(
      () => process.exit(0),
      () => process.exit(1),
    );
  });
  if (hasLostStarter()) {
    process.exit(0);
  }
  tell({ worker: 'up' });
  return worker;
}

let worker: ServingWorker<InjectedServer> | null = null;
process.on('message', (message: CoordinatorMessage, connection?: Socket) => {
  if (message.coordinator === 'start') {
    serve(message.config).then(
      (started) => {
        worker = started;
      },
      (error) => exitWith(error),
    );
  } else if (message.coordinator === 'connection') {
    tell({ worker: 'connectionTaken' });
    if (connection) {
      connection.once('close', () => tell({ worker: 'connectionClosed' }));
      worker!.server.inject(connection);
    } else {
      // It was closed on its way.
      tell({ worker: 'connectionClosed' });
    }
  }
});
