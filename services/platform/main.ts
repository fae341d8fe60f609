import { ServiceError } from './errors.js';
import { createLog, type Logger } from './log.js';

/** A service that runs. */
export interface RunningService {
  port: number;
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
  try {
    const service = await start(log);
    let isStopping = false;
    const stop = async (signal: string) => {
      if (!isStopping) {
        isStopping = true;
        await service.stop();
        log.info({ signal }, 'stopped');
        log.flush(() => process.exit(0));
      }
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
    // Whoever started this process and dies takes it along: nothing is left behind holding ports and folders.
    process.on('disconnect', () => stop('disconnect'));
    log.info({ port: service.port }, 'ready');
    process.stdout.write(`${readyPrefix}${JSON.stringify({ service: name, port: service.port })}\n`);
  } catch (error) {
    exitWith(error);
  }
}

/** Prints an operating error in one line and exits with `misconfiguredStatus`; any other error is thrown on. */
export function exitWith(error: unknown): never {
  if (error instanceof ServiceError) {
    process.stderr.write(`millrace: ${error.message}\n`);
    process.exit(misconfiguredStatus);
  }
  throw error;
}
