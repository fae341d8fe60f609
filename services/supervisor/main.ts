import { createLog } from '../platform/log.js';
import { exitWith, hasLostStarter } from '../platform/main.js';
import { describeMesh, type Mesh, readConfig, startMesh } from './supervisor.js';

/** Messages between the supervisor and a program that started it with a channel. */
export type SupervisorMessage = { type: 'ready'; ports: Mesh['ports'] };
export type StarterMessage = { type: 'keep' };

try {
  const config = readConfig(process.argv.slice(2), process.env);
  const log = createLog('supervisor', config.logLevel);
  const mesh = await startMesh(config, log);
  let stopped = false;
  const stop = () => {
    if (!stopped) {
      stopped = true;
      mesh.stop().then(
        () => process.exit(0),
        (error) => exitWith(error),
      );
    }
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.on('SIGHUP', stop);
  // A starter that ends takes the mesh along, unless it said to keep it.
  process.on('disconnect', stop);
  process.on('message', (message: StarterMessage) => {
    if (message.type === 'keep') {
      process.removeListener('disconnect', stop);
      process.removeListener('SIGHUP', stop);
      process.disconnect?.();
    }
  });
  if (hasLostStarter()) {
    stop();
  } else {
    process.send?.({ type: 'ready', ports: mesh.ports } satisfies SupervisorMessage);
    process.stdout.write(
      `${describeMesh(config, mesh.ports)}\nMillrace is ready. Data: ${config.dataDir}. Stop with Ctrl-C.\n`,
    );
  }
} catch (error) {
  exitWith(error);
}
