import FFT from 'fft.js';
import { type MelBand, type MelForm, melBands } from './mel.js';

export interface SpectrogramForm extends MelForm {
  /** Samples from one frame to the next. */
  hop: number;
  /** Samples of the Hann window, in the middle of a frame. */
  window: number;
  /** What is quieter than a sound's loudest by more counts as this much quieter. */
  rangeDecibels: number;
}

/** The least power that counts, as in `librosa.power_to_db`. */
const powerMin = 1e-10;

/** Frames of so many samples: their middles lie `hop` apart, from the first sample on. */
export function frameCount(samples: number, hop: number): number {
  return 1 + Math.floor(samples / hop);
}

/**
 * Power in mel bands, in decibels: `librosa.power_to_db(librosa.feature.melspectrogram(...), top_db=...)`, frame by frame. Beyond both ends there
 * is silence.
 */
export class LogMelSpectrogram {
  readonly #fft: FFT;
  /** [fftSize], zeros beside the window. */
  readonly #window: Float64Array;
  readonly #bands: MelBand[];
  readonly #frame: Float64Array;
  readonly #spectrum: Float64Array;
  readonly #power: Float64Array;

  constructor(private readonly form: SpectrogramForm) {
    const { fftSize, window } = form;
    this.#fft = new FFT(fftSize);
    this.#window = new Float64Array(fftSize);
    const left = Math.floor((fftSize - window) / 2);
    for (let i = 0; i < window; i++) {
      this.#window[left + i] = 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / window);
    }
    this.#bands = melBands(form);
    this.#frame = new Float64Array(fftSize);
    this.#spectrum = new Float64Array(2 * fftSize);
    this.#power = new Float64Array(fftSize / 2 + 1);
  }

  /** Writes [frames, mels] from place `at` of `target` on. */
  write(samples: Float64Array, target: Float64Array, at: number): void {
    const { hop, mels, rangeDecibels } = this.form;
    const end = at + frameCount(samples.length, hop) * mels;
    let place = at;
    let loudest = Number.NEGATIVE_INFINITY;
    for (let middle = 0; place < end; middle += hop) {
      this.#readPower(samples, middle);
      for (const { first, weights } of this.#bands) {
        let power = 0;
        for (let i = 0; i < weights.length; i++) {
          power += weights[i]! * this.#power[first + i]!;
        }
        const decibels = 10 * Math.log10(Math.max(powerMin, power));
        loudest = Math.max(loudest, decibels);
        target[place++] = decibels;
      }
    }
    for (let i = at; i < end; i++) {
      target[i] = Math.max(target[i]!, loudest - rangeDecibels);
    }
  }

  #readPower(samples: Float64Array, middle: number): void {
    const { fftSize } = this.form;
    const begin = middle - fftSize / 2;
    for (let i = 0; i < fftSize; i++) {
      const at = begin + i;
      this.#frame[i] = at >= 0 && at < samples.length ? samples[at]! * this.#window[i]! : 0;
    }
    this.#fft.realTransform(this.#spectrum, this.#frame);
    for (let i = 0; i < this.#power.length; i++) {
      this.#power[i] = this.#spectrum[2 * i]! ** 2 + this.#spectrum[2 * i + 1]! ** 2;
    }
  }
}
