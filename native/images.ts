import { addon } from './addon.js';

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
 * The pixels of a JPEG file, [height, width, channels], turned as its EXIF orientation says and resized as Pillow does. Where it is
 * more than six times as large as the size asked for it is decoded smaller first. Null: it is in CMYK.
 * @throws EngineError INVALID_ARGUMENT: the file is broken or has more than `pixelsMax` pixels (`field` is `content`), or is not
 * exactly of the size (`size`). The message completes `received one that cannot be decoded`, and `received`.
 */
export function decodeJpeg(content: Uint8Array, form: ImageForm, pixelsMax: number): Promise<Uint8Array | null> {
  return addon.decodeJpeg(content, form, pixelsMax);
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
