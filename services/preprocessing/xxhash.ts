import type { XXHashAPI } from 'xxhash-wasm';

/** Bytes that are handed over in one go: the library's memory grows to hold them, and never shrinks. */
const pieceBytes = 64 * 1024;

/** The checksums of LZ4 and zstd frames. */
export interface Checksums {
  /** XXH32 with seed 0. */
  xxHash32(bytes: Uint8Array): number;
  /** Begins an XXH64 with seed 0, of which zstd keeps the lower half. */
  zstdChecksum(): { update(bytes: Uint8Array): void; digest(): number };
}

let loaded: Promise<XXHashAPI> | null = null;

/** Loads the library with the first frame: a service at rest does without it. */
export async function openChecksums(): Promise<Checksums> {
  loaded ??= import('xxhash-wasm').then(({ default: xxhash }) => xxhash());
  const library = await loaded;
  return {
    xxHash32(bytes) {
      const hash = library.create32();
      updateByPieces(hash, bytes);
      return hash.digest();
    },
    zstdChecksum() {
      const hash = library.create64();
      return {
        update: (bytes) => updateByPieces(hash, bytes),
        digest: () => Number(BigInt.asUintN(32, hash.digest())),
      };
    },
  };
}

function updateByPieces(hash: { update(bytes: Uint8Array): unknown }, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    hash.update(bytes.subarray(at, at + pieceBytes));
  }
}
