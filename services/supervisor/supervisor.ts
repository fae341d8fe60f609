import { baseSettings, integer, loadConfig, portOffsets, type ServiceName } from '../platform/config.js';
import { lockFolder } from '../platform/folder-lock.js';
import type { Logger } from '../platform/log.js';
import { ServiceProcess } from './service-process.js';

const { port: _, ...shared } = baseSettings;

const settings = {
  ...shared,
  /** Processes that answer predictions; default: as inference has it. */
  workers: integer(1, 256).optional(),
  /** Training jobs that run at once; default: as training has it. */
  jobsAtOnce: integer(1, 256).optional(),
};

/** Settings of the whole mesh; they are handed to every service. */
export function readConfig(args: string[], env: Record<string, string | undefined>) {
  return loadConfig(settings, args, env);
}

type Config = ReturnType<typeof readConfig>;

/** A mesh that runs. */
export interface Mesh {
  ports: Record<ServiceName, number>;
  stop(): Promise<void>;
}

const services: ServiceName[] = ['registry', 'preprocessing', 'training', 'inference', 'gateway'];

/** Starts every service as a process of its own and waits until all are ready. When one cannot start, none is left. */
export async function startMesh(config: Config, log: Logger): Promise<Mesh> {
  const lock = lockFolder(config.dataDir);
  const args = [
    `--host=${config.host}`,
    `--port-base=${config.portBase}`,
    `--data-dir=${config.dataDir}`,
    `--log-level=${config.logLevel}`,
    `--insecure=${config.insecure}`,
    `--stop-grace-ms=${config.stopGraceMs}`,
    `--message-bytes-max=${config.messageBytesMax}`,
  ];
  const { dataDir, stopGraceMs } = config;
  const ownArgs: Partial<Record<ServiceName, string[]>> = {
    inference: config.workers === undefined ? [] : [`--workers=${config.workers}`],
    training: config.jobsAtOnce === undefined ? [] : [`--jobs-at-once=${config.jobsAtOnce}`],
  };
  const children = services.map(
    (name) => new ServiceProcess({ name, dataDir, args: [...args, ...(ownArgs[name] ?? [])], stopGraceMs, log }),
  );
  const stop = async () => {
    await Promise.all(children.map((child) => child.stop()));
    lock.release();
  };
  try {
    const ports = await Promise.all(children.map((child) => child.start()));
    return { ports: Object.fromEntries(services.map((name, i) => [name, ports[i]!])) as Mesh['ports'], stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What a person sees: a line a service. */
export function describeMesh(config: Config, ports: Mesh['ports']): string {
  const order = Object.keys(portOffsets).filter((name): name is ServiceName => name in ports);
  return order.map((name) => `${name.padEnd(14)} ${config.host}:${ports[name]}`).join('\n');
}
