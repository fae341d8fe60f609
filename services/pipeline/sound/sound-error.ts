/** A file that is no sound, or is not whole. */
export class SoundError extends Error {
  override readonly name = 'SoundError';

  constructor(
    readonly expected: string,
    readonly received: string,
    options?: ErrorOptions,
  ) {
    super(`expected ${expected} but received ${received}`, options);
  }
}
