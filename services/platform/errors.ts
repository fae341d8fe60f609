import type { FieldViolation, StatusName } from '../../proto/index.js';

/**
 * An operating error: something a caller or the machine did, foreseen and explained. It becomes a gRPC status with
 * `google.rpc` details in `handler.ts`. The message says what was expected, what came and what to do.
 */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';
  readonly fieldViolations: FieldViolation[];

  /** @param reason a stable word for programs, for example `MODEL_NOT_FOUND` */
  constructor(
    readonly code: StatusName,
    readonly reason: string,
    message: string,
    options: ErrorOptions & { fieldViolations?: FieldViolation[] } = {},
  ) {
    super(message, options);
    this.fieldViolations = options.fieldViolations ?? [];
  }
}

/** One field that holds what it may not. */
export function invalidField(field: string, description: string): ServiceError {
  return invalidFields([{ field, description }]);
}

const violationsShown = 5;

/** All violations of a request at once; at least one. The message shows the first few. */
export function invalidFields(fieldViolations: FieldViolation[]): ServiceError {
  const shown = fieldViolations.slice(0, violationsShown).map(({ description }) => description);
  const more = fieldViolations.length - shown.length;
  const message = shown.join(' ') + (more > 0 ? ` And ${more} more.` : '');
  return new ServiceError('INVALID_ARGUMENT', 'INVALID_FIELD', message, { fieldViolations });
}

/** Gathers violations, so that a caller learns of all of them from one answer. */
export class Violations {
  readonly #all: FieldViolation[] = [];

  /** Notes that `field` holds `value` where `expected` is allowed, unless `ok`. Returns `ok`. */
  check(ok: boolean, field: string, expected: string, value: unknown): boolean {
    if (!ok) {
      this.add(field, `Expected \`${field}\` to be ${expected} but received ${quote(value)}.`);
    }
    return ok;
  }

  add(field: string, description: string): void {
    this.#all.push({ field, description });
  }

  get all(): readonly FieldViolation[] {
    return this.#all;
  }

  get isEmpty(): boolean {
    return this.#all.length === 0;
  }

  /** Whether `field` itself is among them. */
  has(field: string): boolean {
    return this.#all.some((violation) => violation.field === field);
  }

  /** Whether `field` or something in it is among them. */
  hasWithin(field: string): boolean {
    return this.#all.some(({ field: named }) => named.startsWith(field) && !/^\w/.test(named.slice(field.length)));
  }

  throwIfAny(): void {
    if (this.#all.length > 0) {
      throw invalidFields(this.#all);
    }
  }
}

/** A value as it reads best in a message; long ones are cut. */
export function quote(value: unknown): string {
  const text =
    typeof value === 'string' || (typeof value === 'object' && value) ? JSON.stringify(value) : String(value);
  return clip(text, 120);
}

/** At most `charsMax` of a text, in which no character is cut in half: a status cannot carry half of one. */
export function clip(text: string, charsMax: number): string {
  const short = text.length > charsMax ? `${text.slice(0, charsMax - 3)}...` : text;
  return short.replace(/\p{Surrogate}/gu, '\ufffd');
}

/** A full disk is the operator's to mend: it gets a status of its own. */
export function isDiskFull(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  return code === 'ENOSPC' || code === 'EDQUOT' || code === 'SQLITE_FULL';
}
