import { ServiceError } from './errors.js';
import { createLog, type Logger } from './log.js';

/** A service that runs. */
export interface RunningService {
  port: number;
  /** Resolves when it serves what it has, where that takes longer than its start. */
  serving?: Promise<void>;
  stop(): Promise<void>;
}

/** Line on standard output that says a service is ready; whoever started it may wait for it. */
export const readyPrefix = 'millrace ready ';

/** Exit status of a process whose configuration or surroundings must be mended first; starting it again would not help. */
export const misconfiguredStatus = 2;

/**
 * Body of every `main.ts`: starts the service, says so in one line on standard output, and stops it at SIGTERM or SIGINT.
 */
export async function runService(
  name: string,
  logLevel: string,
  start: (log: Logger) => Promise<RunningService>,
): Promise<void> {
  const log = createLog(name, logLevel);
  await redirectGrpcLog(log);
  try {
    const service = await start(log);
    let stopping = false;
    const stop = async (signal: string) => {
      if (stopping) {
        return;
      }
      stopping = true;
      try {
        await service.stop();
        log.info({ signal }, 'stopped');
        log.flush(() => process.exit(0));
      } catch (error) {
        log.fatal({ err: error, signal }, 'stop failed');
        log.flush(() => process.exit(1));
      }
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
    // Whoever started this process and dies takes it along: nothing is left behind holding ports and folders.
    process.on('disconnect', () => stop('disconnect'));
    if (hasLostStarter()) {
      await stop('disconnect');
      return;
    }
    await service.serving;
    log.info({ port: service.port }, 'ready');
    process.stdout.write(`${readyPrefix}${JSON.stringify({ service: name, port: service.port })}\n`);
  } catch (error) {
    exitWith(error);
  }
}

/** Whether the program that started this one with a channel went while nobody listened for that: during the start. */
export function hasLostStarter(): boolean {
  return process.send !== undefined && !process.connected;
}

/** Has grpc-js say what it has to say in log lines of ours instead of bare text. */
export async function redirectGrpcLog(log: Logger): Promise<void> {
  // Not imported above: the supervisor takes what else is here, and calls nobody.
  const { setLogger } = await import('@grpc/grpc-js');
  setLogger(grpcLog(log));
}

function grpcLog(log: Logger): Partial<Console> {
  const write =
    (level: 'error' | 'info' | 'debug') =>
    (message?: unknown, ...more: unknown[]) => {
      log[level]({ library: 'grpc-js' }, [message, ...more].join(' '));
    };
  // Its errors are warnings to us: those that end a call or a start are reported by whoever made it.
  return { error: write('info'), info: write('info'), debug: write('debug') };
}

const surroundings = new Set([
  'EACCES',
  'EDQUOT',
  'ENOSPC',
  'ENOTDIR',
  'EPERM',
  'EROFS',
  'SQLITE_CANTOPEN',
  'SQLITE_FULL',
  'SQLITE_READONLY',
]);

/**
 * Prints an operating error in one line and exits with `misconfiguredStatus`: one of ours, or one of the system that says
 * what is wrong with the folder or the disk. Any other error is thrown on.
 */
export function exitWith(error: unknown): never {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (error instanceof ServiceError || surroundings.has(code)) {
    process.stderr.write(`millrace: ${(error as Error).message}\n`);
    process.exit(misconfiguredStatus);
  }
  throw error;
}
