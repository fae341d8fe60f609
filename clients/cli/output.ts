import { RpcError } from '../../proto/index.js';
import { InvalidFileError, InvalidModelError, InvalidSpecError } from '../sdk/index.js';

/** Settings that every command takes. */
export interface CommonOptions {
  json?: boolean;
  host: string;
  portBase: number;
}

/** A failure that the command explains itself. */
export class CommandError extends Error {}

/** One JSON object on the last line for scripts, or lines for people with what to do next. */
export function show(options: CommonOptions, result: unknown, lines: string[], next?: string): void {
  if (options.json) {
    process.stdout.write(`${toJson(result)}\n`);
    return;
  }
  for (const line of lines) {
    process.stdout.write(`${line}\n`);
  }
  if (next) {
    process.stdout.write(`Next: ${next}\n`);
  }
}

/** A message as JSON, without the fields that the protobuf library adds to tell whether an optional one is set (`_accuracy`). */
export function toJson(message: unknown): string {
  return JSON.stringify(message, (key, value) => (key.startsWith('_') ? undefined : value));
}

/** Rows as columns of equal width; the first row is the heading. */
export function table(rows: string[][]): string[] {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join('  ')
      .trimEnd(),
  );
}

/** What went wrong, for people, on standard error. */
export function explain(error: unknown, options: { host: string; portBase: number }): string {
  // A service that answers, but cannot serve yet, gives a reason.
  if (error instanceof RpcError && error.code === 'UNAVAILABLE' && error.details.reason === '') {
    // grpc-js wraps what the system said into words about itself.
    const reason = /Last error: (?:Error: )?(.*?)\. Resolution note:/.exec(error.message)?.[1] ?? error.message;
    return `No answer from the mesh at ${options.host}, port base ${options.portBase} (${reason}). Start it with: millrace up`;
  }
  if (error instanceof RpcError && error.details.fieldViolations.length > 1) {
    return error.details.fieldViolations.map(({ description }) => description).join('\n');
  }
  if (error instanceof InvalidSpecError) {
    // On lines of their own, where editors find `FILE:LINE:COLUMN:`.
    return `the specification is refused:\n${error.message}`;
  }
  const explained = [RpcError, InvalidModelError, InvalidFileError, CommandError];
  if (error instanceof Error && explained.some((type) => error instanceof type)) {
    return error.message;
  }
  const isSystemError = error instanceof Error && 'code' in error && 'syscall' in error;
  return isSystemError ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error);
}
