import type { SharpConstructor, SharpOptions } from 'sharp';
import type { ImageForm, ImageSize } from '../../native/index.js';

/** Pixels before they are resized. */
export interface DecodedPixels {
  /** [stored.height, stored.width, 3]: red, green, blue; upright, what is transparent on black. */
  pixels: Uint8Array;
  /** What they were shrunk to while they were decoded. */
  stored: ImageSize;
  /** Of the whole image. */
  size: ImageSize;
}

/** Larger images are decoded one after another: four at once, without a smaller size to come, would take a gigabyte. */
const pixelsAtOnce = 8_000_000;
/** Decoders leave so many pixels for each one wanted, or more; Pillow's documentation calls that hardly distinguishable. */
const pixelsLeft = 3;

/**
 * Decodes an image file with sharp, which is told to shrink it where it is more than six times as large as is wanted.
 * @throws Error of sharp, whose first line says what is wrong with the file
 */
export async function decodePixels(content: Uint8Array, form: ImageForm, pixelsMax: number): Promise<DecodedPixels> {
  const sharp = await loadSharp();
  const options: SharpOptions = { failOn: 'error', limitInputPixels: pixelsMax, ignoreIcc: true, autoOrient: true };
  const { autoOrient: size } = await sharp(content, options).metadata();
  const stored = form.fit === 'exact' ? size : shrunkSize(size, form);
  const decode = async () => {
    const image = sharp(content, options);
    if (stored !== size) {
      image.resize(stored.width, stored.height, { fit: 'fill', kernel: 'linear' });
    }
    return await image.flatten({ background: '#000' }).toColourspace('srgb').raw({ depth: 'uchar' }).toBuffer();
  };
  const pixels = size.width * size.height > pixelsAtOnce ? await oneAfterAnother(decode) : await decode();
  if (pixels.length !== stored.width * stored.height * 3) {
    throw new Error(`sharp made ${pixels.length} bytes of an image of ${stored.width} x ${stored.height}`);
  }
  return { pixels, stored, size };
}

/** The size itself where it need not be shrunk. */
function shrunkSize(size: ImageSize, form: ImageForm): ImageSize {
  const [x, y] = shrinkOf(size, form).map((ratio) => Math.max(1, Math.floor(ratio / pixelsLeft))) as [number, number];
  if (form.filter === 'nearest' || (x === 1 && y === 1)) {
    return size;
  }
  return { width: Math.ceil(size.width / x), height: Math.ceil(size.height / y) };
}

/** How many pixels become one, across and down. */
function shrinkOf({ width, height }: ImageSize, form: ImageForm): [number, number] {
  const across = width / form.width;
  const down = height / form.height;
  switch (form.fit) {
    case 'cover':
      return [Math.min(across, down), Math.min(across, down)];
    case 'contain':
      return [Math.max(across, down), Math.max(across, down)];
    case 'crop': {
      const ratio = form.shortSide ? Math.min(width, height) / form.shortSide : 1;
      return [ratio, ratio];
    }
    default:
      return [across, down];
  }
}

let lastLarge: Promise<unknown> = Promise.resolve();

function oneAfterAnother<T>(work: () => Promise<T>): Promise<T> {
  const result = lastLarge.then(work);
  lastLarge = result.catch(() => undefined);
  return result;
}

let sharpLoading: Promise<SharpConstructor> | null = null;

/** Loaded with the first image that is no JPEG: the library costs memory that most servers never need. */
function loadSharp(): Promise<SharpConstructor> {
  sharpLoading ??= import('sharp').then(({ default: sharp }) => {
    // Images are decoded side by side, and hardly any comes twice.
    sharp.concurrency(1);
    sharp.cache(false);
    return sharp;
  });
  return sharpLoading;
}
