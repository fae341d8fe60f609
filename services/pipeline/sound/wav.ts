import { aLaw, muLaw } from './companding.js';
import { SoundError } from './sound-error.js';

/** The sound of a WAV file, as it is encoded. */
export interface Wav {
  rateHz: number;
  channels: number;
  /** Samples of each channel. */
  frames: number;
  encoding: Encoding;
  /** The samples of the channels, in turn. */
  data: DataView;
}

interface Encoding {
  name: string;
  bytes: number;
  /** Within [-1, 1), as libsndfile scales them; floating point as it is. */
  read(data: DataView, at: number): number;
}

type Form = Pick<Wav, 'rateHz' | 'channels' | 'encoding'>;

export const rateHzMin = 1_000;
export const rateHzMax = 192_000;
const channelsMax = 64;
const chunksMax = 1_000;
const expected = 'a whole WAV file';

/** By format tag (Microsoft's mmreg.h) and bits of a sample. */
const encodings: Record<string, Encoding | undefined> = {
  '1/8': { name: 'PCM of 8 bits', bytes: 1, read: (data, at) => (data.getUint8(at) - 128) / 128 },
  '1/16': { name: 'PCM of 16 bits', bytes: 2, read: (data, at) => data.getInt16(at, true) / 2 ** 15 },
  '1/24': {
    name: 'PCM of 24 bits',
    bytes: 3,
    read: (data, at) => (data.getUint8(at) + 256 * data.getInt16(at + 1, true)) / 2 ** 23,
  },
  '1/32': { name: 'PCM of 32 bits', bytes: 4, read: (data, at) => data.getInt32(at, true) / 2 ** 31 },
  '3/32': { name: 'float32', bytes: 4, read: (data, at) => data.getFloat32(at, true) },
  '3/64': { name: 'float64', bytes: 8, read: (data, at) => data.getFloat64(at, true) },
  '6/8': { name: 'A-law', bytes: 1, read: (data, at) => aLaw[data.getUint8(at)]! },
  '7/8': { name: 'mu-law', bytes: 1, read: (data, at) => muLaw[data.getUint8(at)]! },
};
const encodingNames = Object.values(encodings).map((encoding) => encoding!.name);
const extensible = 0xfffe;
/** What follows the format tag in the GUID of a WAVE_FORMAT_EXTENSIBLE. */
const guidEnd = '000000001000800000aa00389b71';
const unknownLength = 0xffffffff;

export function isWav(content: Uint8Array): boolean {
  return textAt(content, 0) === 'RIFF' && textAt(content, 8) === 'WAVE';
}

/**
 * Reads the heads of a RIFF file's chunks; nothing is copied.
 * @param isPiped it comes from a program that could not know the length when it wrote the head
 * @throws SoundError
 */
export function readWav(content: Uint8Array, isPiped = false): Wav {
  if (!isWav(content)) {
    throw new SoundError(expected, `${content.length} bytes that do not begin as one`);
  }
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const riffLength = view.getUint32(4, true);
  const isOpen = isPiped && riffLength === unknownLength;
  const end = isOpen ? content.length : 8 + riffLength;
  if (end > content.length) {
    throw new SoundError(expected, `one of ${end} bytes that is cut off after ${content.length}`);
  }
  let form: Form | null = null;
  let at = 12;
  for (let chunk = 0; at + 8 <= end && chunk < chunksMax; chunk++) {
    const name = textAt(content, at);
    const told = view.getUint32(at + 4, true);
    const begin = at + 8;
    const length = isPiped && told === unknownLength ? end - begin : told;
    if (begin + length > end) {
      const received = `one whose chunk ${JSON.stringify(name)} has ${length} bytes, of which ${end - begin} are there`;
      throw new SoundError(expected, received);
    }
    if (name === 'fmt ') {
      form = readForm(new DataView(view.buffer, view.byteOffset + begin, length));
    }
    if (name === 'data') {
      if (!form) {
        throw new SoundError(expected, 'one whose data comes before its format');
      }
      return withData(form, new DataView(view.buffer, view.byteOffset + begin, length));
    }
    // A chunk of an odd length has a byte of padding.
    at = begin + length + (length % 2);
  }
  throw new SoundError(expected, `one without a chunk of data among its first ${chunksMax}`);
}

function readForm(head: DataView): Form {
  if (head.byteLength < 16) {
    throw new SoundError(expected, `one whose format has ${head.byteLength} bytes and not at least 16`);
  }
  const bits = head.getUint16(14, true);
  const encoding = readEncoding(head, bits);
  const channels = head.getUint16(2, true);
  if (channels < 1 || channels > channelsMax) {
    throw new SoundError(`${expected} of 1 to ${channelsMax} channels`, `one of ${channels}`);
  }
  const rateHz = head.getUint32(4, true);
  if (rateHz < rateHzMin || rateHz > rateHzMax) {
    throw new SoundError(`${expected} of ${rateHzMin} to ${rateHzMax} Hz`, `one of ${rateHz} Hz`);
  }
  const frameBytes = head.getUint16(12, true);
  if (frameBytes !== channels * encoding.bytes) {
    const received = `one whose frames have ${frameBytes} bytes, where ${channels} channels of ${encoding.name} make ${channels * encoding.bytes}`;
    throw new SoundError(expected, received);
  }
  return { rateHz, channels, encoding };
}

function readEncoding(head: DataView, bits: number): Encoding {
  let tag = head.getUint16(0, true);
  if (tag === extensible) {
    if (head.byteLength < 40) {
      throw new SoundError(expected, `one whose extended format has ${head.byteLength} bytes and not 40`);
    }
    tag = head.getUint16(24, true);
    const guid = Buffer.from(head.buffer, head.byteOffset + 26, 14).toString('hex');
    if (guid !== guidEnd) {
      throw new SoundError(`${expected} of ${encodingNames.join(', ')}`, `one of format ${tag}, ${guid}`);
    }
  }
  const encoding = encodings[`${tag}/${bits}`];
  if (!encoding) {
    throw new SoundError(`${expected} of ${encodingNames.join(', ')}`, `one of format ${tag} of ${bits} bits`);
  }
  return encoding;
}

function withData(form: Form, data: DataView): Wav {
  const frameBytes = form.channels * form.encoding.bytes;
  if (data.byteLength === 0 || data.byteLength % frameBytes !== 0) {
    const received = `one with ${data.byteLength} bytes of sound, where a frame has ${frameBytes}`;
    throw new SoundError(expected, received);
  }
  return { ...form, frames: data.byteLength / frameBytes, data };
}

/** The mean of all channels, of the first `frames` at most. @throws SoundError for what is no number */
export function readMono({ channels, frames, encoding, data }: Wav, framesMax: number): Float64Array {
  const { bytes, read } = encoding;
  const mono = new Float64Array(Math.min(frames, framesMax));
  let at = 0;
  for (let i = 0; i < mono.length; i++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) {
      sum += read(data, at);
      at += bytes;
    }
    mono[i] = sum / channels;
    if (!(Math.abs(sum) <= loudestSum)) {
      throw new SoundError(`${expected} of numbers up to ${loudestSum}`, `one that has ${sum} in frame ${i}`);
    }
  }
  return mono;
}

/** Loud enough for anybody; its squares, summed up, are far from the end of float64. */
const loudestSum = 1e9;

function textAt(content: Uint8Array, at: number): string {
  return Buffer.from(content.buffer, content.byteOffset + at, Math.max(0, Math.min(4, content.length - at))).toString(
    'latin1',
  );
}
