/** A file that is no image of the shape asked for. */
export class ImageError extends Error {
  override readonly name = 'ImageError';

  constructor(
    readonly expected: string,
    readonly received: string,
    options?: ErrorOptions,
  ) {
    super(`expected ${expected} but received ${received}`, options);
  }
}

const signatures = [
  { format: 'png', bytes: [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a] },
  { format: 'jpeg', bytes: [0xff, 0xd8, 0xff] },
];

/**
 * The pixels of a PNG or JPEG file, row by row, one byte a channel. Transparent parts lie on black.
 * @param shape height and width for grey, or height, width and 3 for red, green and blue
 * @throws ImageError
 */
export async function decodeImage(content: Uint8Array, shape: readonly number[]): Promise<Uint8Array> {
  const [height, width, channels = 1] = shape;
  const expected = `a PNG or JPEG file of ${width} x ${height} pixels`;
  if (shape.length > 3 || (channels !== 1 && channels !== 3)) {
    throw new ImageError(`exactly ${shape.reduce((a, b) => a * b)} bytes`, `${content.length}`);
  }
  // Looked at before the decoder is: it would open many more formats, some of which may refer to other files.
  if (!signatures.some(({ bytes }) => bytes.every((byte, i) => content[i] === byte))) {
    throw new ImageError(expected, `${content.length} bytes that are neither`);
  }
  // Loaded with the first image: the library costs memory that most servers never need.
  const { default: sharp } = await import('sharp');
  try {
    const image = sharp(content, { failOn: 'error', limitInputPixels: 64_000_000 });
    const metadata = await image.metadata();
    if (metadata.width !== width || metadata.height !== height) {
      throw new ImageError(expected, `one of ${metadata.width} x ${metadata.height}`);
    }
    const flat = metadata.hasAlpha ? image.flatten({ background: '#000' }) : image;
    return await flat
      .toColourspace(channels === 1 ? 'b-w' : 'srgb')
      .raw({ depth: 'uchar' })
      .toBuffer();
  } catch (error) {
    if (error instanceof ImageError) {
      throw error;
    }
    throw new ImageError(expected, `one that cannot be decoded (${firstLine(error)})`, { cause: error });
  }
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]!;
}
