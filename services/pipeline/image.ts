import type * as Native from '../../native/index.js';
import { decodePixels } from './decode-pixels.js';
import { loadNative } from './native.js';

/** Why a file is refused: it is no image, or not of the size asked for. */
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

/**
 * How an image of another size becomes one of this: stretched; filled and its middle cut out; whole with black beside it; or its
 * short side resized to some size, and then its middle cut out.
 */
export const imageFits = ['fill', 'cover', 'contain', 'crop'] as const;
export type ImageFit = (typeof imageFits)[number];

/** How pixels are computed from their neighbours; each takes in all that it shrinks. */
export const imageFilters = ['nearest', 'bilinear', 'bicubic', 'lanczos'] as const;
export type ImageFilter = (typeof imageFilters)[number];

export interface ImageResizing {
  fit: ImageFit;
  filter: ImageFilter;
  /** Of the fit `crop`; 0: nothing is resized, only cut. 0 with any other fit. */
  shortSide: number;
}

export interface ImageForm {
  height: number;
  width: number;
  /** 1: grey; 3: red, green and blue. */
  channels: 1 | 3;
  /** Null: an image of another size is refused. */
  resize: ImageResizing | null;
}

/** Of an image file, whatever it is resized to. */
export const imagePixelsMax = 64_000_000;
const jpegSignature = '\xff\xd8\xff';
/** First bytes of a format, one character a byte. */
const signatures = ['\x89PNG\r\n\x1a\n', jpegSignature, 'GIF87a', 'GIF89a', 'II*\0', 'MM\0*', 'II+\0', 'MM\0+'];
const formats = 'PNG, JPEG, GIF, WebP or TIFF';

/**
 * Writes the pixels of image files, row by row, [height, width, channels] of one byte each: the first frame of several, turned as
 * its EXIF orientation says, resized in its own colours (an ICC profile is not applied), what is transparent on black. Grey
 * is ITU-R 601 luma, in integers as Pillow's `L`. Answers an error for each file that is refused.
 * @param contents null: its place is passed over
 * @param target one image after another; the place of a file that is refused stays as it is
 */
export async function decodeImages(
  contents: readonly (Uint8Array | null)[],
  { resize, ...size }: ImageForm,
  target: Uint8Array,
): Promise<(ImageError | null)[]> {
  const native = await loadNative();
  const form: Native.ImageForm = { ...size, fit: 'exact', filter: 'bilinear', shortSide: 0, ...resize };
  const jpegs = contents.map((content) => (content && beginOf(content).startsWith(jpegSignature) ? content : null));
  const outcomes = jpegs.some(Boolean) ? await native.decodeJpegs(jpegs, form, imagePixelsMax, target) : [];
  const extent = resize ? `of at most ${imagePixelsMax} pixels` : `of ${size.width} x ${size.height} pixels`;
  const expected = `a whole ${formats} file ${extent}`;
  const sizeBytes = size.height * size.width * size.channels;
  const refusals: (ImageError | null)[] = [];
  for (const [i, content] of contents.entries()) {
    const isDone = content === null || (jpegs[i] !== null && outcomes[i] === null);
    refusals.push(isDone ? null : await decodeOther(content, i));
  }
  return refusals;

  async function decodeOther(content: Uint8Array, i: number): Promise<ImageError | null> {
    // Looked at before a decoder is: sharp would open many more formats, some of which may refer to other files.
    if (!isImage(content)) {
      return new ImageError(expected, `${content.length} bytes that are none of these`);
    }
    try {
      const outcome = outcomes[i];
      if (outcome instanceof Error) {
        throw outcome;
      }
      const { pixels, stored, size } = await decodePixels(content, form, imagePixelsMax);
      target.set(await native.resampleImage(pixels, stored, size, form), i * sizeBytes);
      return null;
    } catch (error) {
      const isSize = error instanceof native.EngineError && error.field === 'size';
      const received = isSize ? error.message : `one that cannot be decoded (${firstLine(error)})`;
      return new ImageError(expected, received, { cause: error });
    }
  }
}

/** By the first bytes; whether the rest is whole is seen when it is decoded. */
export function isImage(content: Uint8Array): boolean {
  const begin = beginOf(content);
  const isWebp = begin.startsWith('RIFF') && begin.slice(8) === 'WEBP';
  return isWebp || signatures.some((signature) => begin.startsWith(signature));
}

function beginOf(content: Uint8Array): string {
  return Buffer.from(content.buffer, content.byteOffset, Math.min(content.length, 12)).toString('latin1');
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]!;
}
