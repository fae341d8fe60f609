import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { quote, ServiceError } from './errors.js';

/** Offset of each service's port from the port base. Triton's defaults stand behind 8000 to 8002. */
export const portOffsets = {
  gateway: 0,
  inference: 1,
  inferenceMetrics: 2,
  registry: 3,
  training: 4,
  preprocessing: 5,
};
export type ServiceName = 'gateway' | 'inference' | 'registry' | 'training' | 'preprocessing';

/** An integer, from text too; unlike with `z.coerce` nothing and `true` are not numbers. */
export function integer(min: number, max: number) {
  const fromText = (value: unknown) => (typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value);
  return z.preprocess(fromText, z.number().int().min(min).max(max));
}

/** Texts, from one text too, in which they are separated. */
export function list(separator: string) {
  return z
    .union([z.string().transform((text) => text.split(separator)), z.array(z.string())])
    .transform((texts) => texts.map((text) => text.trim()).filter((text) => text !== ''));
}

const port = integer(0, 65_535);
const flag = z.preprocess(
  (value) => (value === 'true' || value === '' ? true : value === 'false' ? false : value),
  z.boolean(),
);

/** Largest message where nothing else is said; clients have the same. */
export const messageBytesDefault = 64 * 1024 * 1024;

/** Settings that every service has. */
export const baseSettings = {
  /** Address to listen on. */
  host: z.string().min(1).default('127.0.0.1'),
  /** First port of the mesh's block. */
  portBase: integer(1, 65_530).default(8000),
  /** Overrides the port that follows from `portBase`; 0: any free port. */
  port: port.optional(),
  /** Folder that holds everything a service keeps. */
  dataDir: z
    .string()
    .min(1)
    .default('.millrace')
    .transform((folder) => path.resolve(folder)),
  logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
  /** Allows plaintext and no login on an address other than loopback. */
  insecure: flag.default(false),
  /** Time that calls in flight have to finish after SIGTERM, ms. */
  stopGraceMs: integer(0, 3_600_000).default(10_000),
  /**
   * Largest message taken or sent, bytes; the same in the whole mesh. Not less than the services need among themselves: their
   * batches have up to 16 MiB and a record.
   */
  messageBytesMax: integer(32 * 1024 ** 2, 2 ** 31 - 1).default(messageBytesDefault),
};

type Settings = Record<string, z.ZodType>;

/**
 * Reads settings from a YAML file (`--config` or `MILLRACE_CONFIG`), the environment (`MILLRACE_DATA_DIR`) and arguments
 * (`--data-dir`), later ones winning. Unknown keys and bad values are refused, all at once.
 */
export function loadConfig<S extends Settings>(
  settings: S,
  args: string[],
  env: Record<string, string | undefined>,
): z.output<z.ZodObject<S>> {
  const flags = parseFlags(Object.keys(settings), args);
  const file = flags.config ?? env.MILLRACE_CONFIG;
  delete flags.config;
  const fromEnv: Record<string, string> = {};
  for (const key of Object.keys(settings)) {
    const value = env[`MILLRACE_${separate(key, '_').toUpperCase()}`];
    if (value !== undefined) {
      fromEnv[key] = value;
    }
  }
  const merged = { ...(file ? readConfigFile(file) : {}), ...fromEnv, ...flags };
  const result = z.strictObject(settings).safeParse(merged, { reportInput: true });
  if (!result.success) {
    const lines = result.error.issues.map(describeIssue);
    throw new ServiceError('INVALID_ARGUMENT', 'INVALID_CONFIG', `The configuration is invalid. ${lines.join('; ')}.`);
  }
  const config = result.data as z.output<z.ZodObject<S>> & { host?: string; insecure?: boolean };
  if (config.host !== undefined && !isLoopback(config.host) && !config.insecure) {
    const message = `Listening on ${config.host} would open an unencrypted port without login to the network. Listen on 127.0.0.1, or add --insecure if the network is trusted.`;
    throw new ServiceError('INVALID_ARGUMENT', 'INSECURE_ADDRESS', message);
  }
  return config;
}

function describeIssue({ code, path, message, input }: z.core.$ZodIssue): string {
  const received = code === 'unrecognized_keys' || input === undefined ? '' : ` (received ${quote(input)})`;
  return `${path.join('.') || 'config'}: ${message}${received}`;
}

function parseFlags(keys: string[], args: string[]): Record<string, string> {
  const options: Record<string, { type: 'string' }> = { config: { type: 'string' } };
  for (const key of keys) {
    options[separate(key, '-')] = { type: 'string' };
  }
  // `--insecure` alone means true.
  const filled = args.map((arg) => (arg === '--insecure' ? '--insecure=true' : arg));
  try {
    const { values } = parseArgs({ args: filled, options, strict: true });
    return Object.fromEntries(Object.entries(values).map(([name, value]) => [join(name), String(value)]));
  } catch (error) {
    throw new ServiceError('INVALID_ARGUMENT', 'INVALID_CONFIG', (error as Error).message, { cause: error });
  }
}

function readConfigFile(file: string): Record<string, unknown> {
  try {
    // Loaded with the first file: most processes have none, and starting without it is 50 ms faster.
    const yaml = createRequire(import.meta.url)('yaml') as typeof import('yaml');
    const content: unknown = yaml.parse(readFileSync(file, 'utf8'));
    return z.record(z.string(), z.unknown()).parse(content ?? {});
  } catch (error) {
    const message = `The configuration file ${file} cannot be read: ${(error as Error).message}`;
    throw new ServiceError('INVALID_ARGUMENT', 'INVALID_CONFIG', message, { cause: error });
  }
}

/** `dataDir` as `data-dir` or `data_dir`. */
export const separate = (key: string, separator: string) =>
  key.replace(/[A-Z]/g, (letter) => separator + letter.toLowerCase());
const join = (name: string) => name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** Where a service listens. */
export function servicePort(config: { port?: number | undefined; portBase: number }, service: ServiceName): number {
  return config.port ?? config.portBase + portOffsets[service];
}

/** Setting for the address of another service, for example `registryAddress`. Default: the same host, by port base. */
export const address = z
  .string()
  .regex(/^.+:\d+$/, 'expected host:port')
  .optional();

const everyAddress = new Set(['0.0.0.0', '::']);

/** host:port of another service of the mesh, which listens where this one does. */
export function serviceAddress(
  config: { host: string; portBase: number },
  given: string | undefined,
  service: ServiceName,
): string {
  const host = everyAddress.has(config.host) ? '127.0.0.1' : config.host;
  return given ?? `${host.includes(':') ? `[${host}]` : host}:${config.portBase + portOffsets[service]}`;
}
