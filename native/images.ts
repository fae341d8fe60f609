import { addon } from './addon.js';
import { keepInPlace } from './arrays-in-place.js';
import type { EngineError } from './engine-error.js';

export interface ImageSize {
  /** Pixels, 1 to 2^31 - 1, as is the height. */
  width: number;
  height: number;
}

/**
 * How an image of another size becomes one of this: not at all; stretched; the largest middle part of this shape, resized; as a
 * whole with black beside it; or its short side resized, then its middle cut out.
 */
export type ImageFit = 'exact' | 'fill' | 'cover' | 'contain' | 'crop';

/** How pixels are computed from their neighbours; each takes in all that it shrinks. */
export type ImageFilter = 'nearest' | 'bilinear' | 'bicubic' | 'lanczos';

/** The image that is wanted. */
export interface ImageForm extends ImageSize {
  /** 1: grey; 3: red, green and blue. */
  channels: 1 | 3;
  fit: ImageFit;
  filter: ImageFilter;
  /** Of the fit `crop`: the short side before the middle is cut out; 0 leaves the image as it is. 0 with any other fit. */
  shortSide: number;
}

/**
 * What became of a file. Null: its pixels were written, or it was null. An error with the code INVALID_ARGUMENT: it is broken or
 * has more pixels than are allowed (`field` is `content`), or is not exactly of the size (`size`); its message completes `received
 * one that cannot be decoded`, and `received`.
 */
export type JpegOutcome = EngineError | 'otherColours' | null;

/**
 * Writes the pixels of JPEG files, turned as their EXIF orientation says and resized as Pillow does. Where one is more than six times
 * as large as the size asked for it is decoded smaller first. Files in CMYK have `otherColours`, which are not decoded here.
 * @param contents null: its place is passed over
 * @param pixelsMax of a file, before it is resized
 * @param pixels [contents.length, form.height, form.width, form.channels]; what is not written stays. Neither it nor the contents may
 * be written elsewhere meanwhile
 */
export function decodeJpegs(
  contents: readonly (Uint8Array | null)[],
  form: ImageForm,
  pixelsMax: number,
  pixels: Uint8Array,
): Promise<JpegOutcome[]> {
  const files = Array.from(contents, (content, i): [string, unknown] => [`contents[${i}]`, content]);
  keepInPlace([['pixels', pixels], ...files]);
  return addon.decodeJpegs(contents, form, pixelsMax, pixels);
}

/**
 * Resizes decoded pixels as Pillow does: [height, width, channels].
 * @param pixels [stored.height, stored.width, 3], upright
 * @param stored what its decoder has shrunk the image to
 * @param size what it was before, which the fit goes by
 * @throws EngineError INVALID_ARGUMENT where it is not exactly of the size (`field` is `size`)
 */
export function resampleImage(
  pixels: Uint8Array,
  stored: ImageSize,
  size: ImageSize,
  form: ImageForm,
): Promise<Uint8Array> {
  return addon.resampleImage(pixels, stored, size, form);
}
