/** A message in pieces, so that tensors and tables are not copied into it. */
export class MessagePieces {
  readonly byteLength: number;

  constructor(readonly pieces: readonly Uint8Array[]) {
    let byteLength = 0;
    for (const { length } of pieces) {
      byteLength += length;
    }
    this.byteLength = byteLength;
  }
}
