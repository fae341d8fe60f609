import { openChecksums } from './xxhash.js';

/**
 * Loads what reads a single zstd frame (RFC 8878) that says how long its content is: `sizeBytes`. What does not have the checksum that
 * stands with it is refused; the library passes over it.
 */
export async function openZstdFrames(): Promise<(bytes: Uint8Array, sizeBytes: number) => Uint8Array> {
  const { zstdChecksum } = await openChecksums();
  // Node has it from version 22.15 on only.
  const { decompress } = await import('fzstd');
  return (bytes, sizeBytes) => {
    const { hasChecksum } = checkFrame(bytes, sizeBytes);
    const content = decompress(bytes, new Uint8Array(sizeBytes));
    if (hasChecksum) {
      const checksum = zstdChecksum();
      checksum.update(content);
      const end = bytes.byteOffset + bytes.length;
      if (new DataView(bytes.buffer, end - 4).getUint32(0, true) !== checksum.digest()) {
        throw new Error('its content does not have its checksum: it is damaged');
      }
    }
    return content;
  };
}

/** Magic, flags, one more byte, and the head of a block. */
const frameBytesMin = 9;

/** The library writes what a frame holds into what it is given, and does not say how much that was. */
function checkFrame(bytes: Uint8Array, sizeBytes: number): { hasChecksum: boolean } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < frameBytesMin) {
    throw new Error('it is cut off');
  }
  const flags = bytes[4]!;
  const [sizeFlag, isSingle, dictionaryFlag] = [flags >> 6, (flags >> 5) & 1, flags & 3];
  const at = 6 - isSingle + [0, 1, 2, 4][dictionaryFlag]!;
  const sizeOfSize = [isSingle, 2, 4, 8][sizeFlag]!;
  if (view.getUint32(0, true) !== 0xfd2fb528 || sizeOfSize === 0 || at + sizeOfSize > bytes.length) {
    throw new Error('it is no zstd frame that says its length');
  }
  const said = [
    () => view.getUint8(at),
    () => view.getUint16(at, true) + 256,
    () => view.getUint32(at, true),
    () => Number(view.getBigUint64(at, true)),
  ][sizeFlag]!();
  if (said !== sizeBytes) {
    throw new Error(`it has ${said} bytes where ${sizeBytes} were said`);
  }
  return { hasChecksum: (flags & 4) !== 0 };
}
