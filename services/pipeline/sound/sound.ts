import { setImmediate } from 'node:timers/promises';
import { decodeWithFfmpeg, ffmpegFormat } from './ffmpeg.js';
import { resample, samplesNeeded } from './resample.js';
import { isWav, rateHzMin, readMono, readWav } from './wav.js';

/** By the first bytes; whether the rest is whole is seen when it is decoded. */
export function isSound(content: Uint8Array): boolean {
  return isWav(content) || ffmpegFormat(content) !== null;
}

/**
 * The first `samples` of a sound file at a rate, the mean of its channels; a shorter one is followed by silence. Float64, full scale is 1.
 * @throws SoundError
 */
export async function decodeSound(content: Uint8Array, rateHz: number, samples: number): Promise<Float64Array> {
  // Many files would else keep everything else waiting.
  await setImmediate();
  const format = isWav(content) ? null : ffmpegFormat(content);
  if (format === null) {
    return toSamples(content, false, rateHz, samples);
  }
  const seconds = samplesNeeded(rateHzMin, rateHz, samples) / rateHzMin;
  return toSamples(await decodeWithFfmpeg(content, format, seconds), true, rateHz, samples);
}

function toSamples(content: Uint8Array, isPiped: boolean, rateHz: number, samples: number): Float64Array {
  const wav = readWav(content, isPiped);
  const mono = readMono(wav, samplesNeeded(wav.rateHz, rateHz, samples));
  return resample(mono, wav.rateHz, rateHz, samples);
}
