/** A message in pieces, so that tensors and tables are not copied into it. */
export class MessagePieces {
  readonly byteLength: number;

  /** @param onSent called once the pieces have left, if they do: until then they must not change */
  constructor(
    readonly pieces: readonly Uint8Array[],
    readonly onSent: (() => void) | null = null,
  ) {
    let byteLength = 0;
    for (const { length } of pieces) {
      byteLength += length;
    }
    this.byteLength = byteLength;
  }
}
