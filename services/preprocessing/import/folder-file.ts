import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { imagePixelsMax, isImage, isSound } from '../../pipeline/index.js';
import type { ColumnType } from '../column.js';
import { type ImportFile, invalidFile } from './import-file.js';
import { Utf8Check } from './utf8-check.js';

/** What the files of a folder hold, one a row. */
export type FolderContent = 'image' | 'sound' | 'text';

const titles: Record<FolderContent, string> = {
  image: 'a PNG, JPEG, WebP, GIF or TIFF picture',
  sound: 'a WAV, FLAC, MP3 or Ogg file',
  text: 'a text file',
};
const fileBytesMax = 32 * 1024 * 1024;

/** Of the column that holds the files. */
export function contentType(content: FolderContent): ColumnType {
  return content === 'text' ? { kind: 'text', large: false } : { kind: 'binary', large: false, width: null };
}

/** Where a file lies in the folder that was named. */
export function nameWithin({ folders, path: file }: ImportFile): string {
  return [...folders, path.basename(file)].join('/');
}

/** What a file holds: pictures and sound as they are encoded. @throws ServiceError for another kind of file */
export async function readContent(
  { path: file, sizeBytes }: ImportFile,
  content: FolderContent,
): Promise<string | Buffer> {
  if (sizeBytes > fileBytesMax) {
    throw invalidFile(file, `Expected files of at most ${fileBytesMax} bytes but it has ${sizeBytes}.`);
  }
  const bytes = await readFile(file);
  if (content === 'text') {
    const check = new Utf8Check(file);
    check.push(bytes, 1);
    check.finish(bytes.toString('latin1').split('\n').length);
    return bytes.toString('utf8').replace(/^\ufeff/, '');
  }
  if (!isContent[content](bytes)) {
    const received =
      bytes.length === 0 ? 'it is empty' : `its first bytes are ${[...bytes.subarray(0, 12)].join(', ')}`;
    throw invalidFile(file, `Expected ${titles[content]} but ${received}.`);
  }
  if (content === 'image') {
    await checkExtent(file, bytes);
  }
  return bytes;
}

/** Refuses what no pipeline would decode; a header that cannot be read is left to the decoder. */
async function checkExtent(file: string, bytes: Buffer): Promise<void> {
  const { imageSize } = await import('image-size');
  let extent: { width: number; height: number };
  try {
    extent = imageSize(bytes);
  } catch {
    return;
  }
  const { width, height } = extent;
  if (width * height > imagePixelsMax) {
    throw invalidFile(file, `Expected a picture of at most ${imagePixelsMax} pixels but it says ${width} x ${height}.`);
  }
}

/** By the first bytes; whether the rest is whole is seen when it is decoded. */
const isContent = {
  image: isImage,
  sound: isSound,
};
