import type { SharpConstructor } from 'sharp';

/** A file that is no image, or not of the size asked for. */
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

/** How an image of another size becomes one of this: stretched, filled and its middle cut out, or whole with black beside it. */
export const imageFits = ['fill', 'cover', 'contain'] as const;
export type ImageFit = (typeof imageFits)[number];

/** How pixels are computed from their neighbours; each takes in all that it shrinks, as Pillow's do. */
export const imageFilters = ['nearest', 'bilinear', 'bicubic', 'lanczos'] as const;
export type ImageFilter = (typeof imageFilters)[number];

export interface ImageForm {
  height: number;
  width: number;
  /** 1: grey; 3: red, green and blue. */
  channels: 1 | 3;
  /** Null: an image of another size is refused. */
  resize: { fit: ImageFit; filter: ImageFilter } | null;
}

const kernels = { nearest: 'nearest', bilinear: 'linear', bicubic: 'cubic', lanczos: 'lanczos3' } as const;
const pixelsMax = 64_000_000;
/** First bytes of a format, one character a byte. */
const signatures = ['\x89PNG\r\n\x1a\n', '\xff\xd8\xff', 'GIF87a', 'GIF89a', 'II*\0', 'MM\0*', 'II+\0', 'MM\0+'];
const formats = 'PNG, JPEG, GIF, WebP or TIFF';

/**
 * The pixels of an image file, row by row, [height, width, channels] of one byte each: the first frame of several, turned as
 * its EXIF orientation says, resized in its own colours (an ICC profile is not applied), what is transparent on black. Grey
 * is ITU-R 601 luma, in integers as Pillow's `L`.
 * @throws ImageError
 */
export async function decodeImage(content: Uint8Array, form: ImageForm): Promise<Uint8Array> {
  const { height, width, resize } = form;
  const size = resize ? `of at most ${pixelsMax} pixels` : `of ${width} x ${height} pixels`;
  const expected = `a whole ${formats} file ${size}`;
  // Looked at before the decoder is: it would open many more formats, some of which may refer to other files.
  if (!isImage(content)) {
    throw new ImageError(expected, `${content.length} bytes that are none of these`);
  }
  const sharp = await loadSharp();
  try {
    const image = sharp(content, { failOn: 'error', limitInputPixels: pixelsMax, ignoreIcc: true, autoOrient: true });
    if (resize) {
      image.resize(width, height, { fit: resize.fit, kernel: kernels[resize.filter], background: '#000' });
    } else {
      const { autoOrient: found } = await image.metadata();
      if (found.width !== width || found.height !== height) {
        throw new ImageError(expected, `one of ${found.width} x ${found.height}`);
      }
    }
    const pixels = await image.flatten({ background: '#000' }).toColourspace('srgb').raw({ depth: 'uchar' }).toBuffer();
    if (pixels.length !== height * width * 3) {
      throw new Error(`sharp made ${pixels.length} bytes of an image of ${width} x ${height}`);
    }
    return form.channels === 3 ? pixels : toGrey(pixels);
  } catch (error) {
    if (error instanceof ImageError) {
      throw error;
    }
    throw new ImageError(expected, `one that cannot be decoded (${firstLine(error)})`, { cause: error });
  }
}

/** By the first bytes; whether the rest is whole is seen when it is decoded. */
export function isImage(content: Uint8Array): boolean {
  const begin = Buffer.from(content.buffer, content.byteOffset, Math.min(content.length, 12)).toString('latin1');
  const isWebp = begin.startsWith('RIFF') && begin.slice(8) === 'WEBP';
  return isWebp || signatures.some((signature) => begin.startsWith(signature));
}

let sharpLoading: Promise<SharpConstructor> | null = null;

/** Loaded with the first image: the library costs memory that most servers never need. */
function loadSharp(): Promise<SharpConstructor> {
  sharpLoading ??= import('sharp').then(({ default: sharp }) => {
    // Images are decoded side by side, and hardly any comes twice.
    sharp.concurrency(1);
    sharp.cache(false);
    return sharp;
  });
  return sharpLoading;
}

function toGrey(pixels: Uint8Array): Uint8Array {
  const grey = new Uint8Array(pixels.length / 3);
  for (let i = 0; i < grey.length; i++) {
    const [red, green, blue] = [pixels[3 * i]!, pixels[3 * i + 1]!, pixels[3 * i + 2]!];
    grey[i] = (red * 19_595 + green * 38_470 + blue * 7_471 + 0x8000) >> 16;
  }
  return grey;
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]!;
}
