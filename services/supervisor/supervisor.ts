import path from 'node:path';
import {
  baseSettings,
  integer,
  list,
  loadConfig,
  portOffsets,
  type ServiceName,
  separate,
} from '../platform/config.js';
import { lockFolder } from '../platform/folder-lock.js';
import type { Logger } from '../platform/log.js';
import { ServiceProcess } from './service-process.js';

const { port: _, ...shared } = baseSettings;

const bytes = integer(1, Number.MAX_SAFE_INTEGER).optional();

/** What is handed to one service alone; default: as that service has it. */
const ownSettings = {
  inference: {
    /** Processes that answer predictions. */
    workers: integer(1, 256).optional(),
  },
  training: {
    /** Training jobs that run at once. */
    jobsAtOnce: integer(1, 256).optional(),
  },
  preprocessing: {
    /** Folders that imports may read from, as in PATH, or a list. */
    importFolders: list(path.delimiter).optional(),
    /** Hosts that imports may fetch from although they are not in the public network, with commas between them, or a list. */
    importHosts: list(',').optional(),
    /** Largest file that an import fetches, bytes. */
    downloadBytesMax: bytes,
    /** Largest upload, bytes. */
    uploadBytesMax: bytes,
  },
};

const settings = {
  ...shared,
  ...ownSettings.inference,
  ...ownSettings.training,
  ...ownSettings.preprocessing,
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
  const children = services.map(
    (name) => new ServiceProcess({ name, dataDir, args: [...args, ...ownArgs(config, name)], stopGraceMs, log }),
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

/** Arguments for what is set of one service's own settings. */
export function ownArgs(config: Config, service: ServiceName): string[] {
  const keys = Object.keys(ownSettings[service as keyof typeof ownSettings] ?? {}) as (keyof Config)[];
  return keys.flatMap((key) => {
    const value = config[key];
    const text = Array.isArray(value) ? value.join(key === 'importFolders' ? path.delimiter : ',') : value;
    return text === undefined ? [] : [`--${separate(key, '-')}=${text}`];
  });
}

/** What a person sees: a line a service. */
export function describeMesh(config: Config, ports: Mesh['ports']): string {
  const order = Object.keys(portOffsets).filter((name): name is ServiceName => name in ports);
  return order.map((name) => `${name.padEnd(14)} ${config.host}:${ports[name]}`).join('\n');
}
