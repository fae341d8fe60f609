import { type Logger, pino } from 'pino';

export type { Logger } from 'pino';

/** JSON lines on standard error, one object a line, with the service's name. */
export function createLog(service: string, level: string): Logger {
  return pino(
    { level, timestamp: pino.stdTimeFunctions.isoTime, base: { service, pid: process.pid } },
    pino.destination({ dest: 2, sync: false }),
  );
}
