export type EngineErrorCode = 'INVALID_ARGUMENT' | 'FAILED_PRECONDITION' | 'CANCELLED' | 'DIVERGED' | 'INTERNAL';

/** The one error of the engine. The addon throws this very class: it is handed over when the addon loads. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  readonly code: EngineErrorCode;
  /** The argument at fault, such as `layers[0].units`, or null. */
  readonly field: string | null;

  constructor(code: EngineErrorCode, field: string | null, message: string) {
    super(message);
    this.code = code;
    this.field = field;
  }
}

export function invalidArgument(field: string, message: string): EngineError {
  return new EngineError('INVALID_ARGUMENT', field, message);
}
