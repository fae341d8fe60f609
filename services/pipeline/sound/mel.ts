/** Weights of the FFT's frequencies in one band: those from `first` on; all others are 0. */
export interface MelBand {
  first: number;
  weights: Float64Array;
}

export interface MelForm {
  rateHz: number;
  fftSize: number;
  mels: number;
  minimumHz: number;
  maximumHz: number;
}

/**
 * Triangles of equal width on Slaney's mel scale and of area 1 in Hz, as `librosa.filters.mel` (Slaney 1998, Auditory Toolbox). A band between two
 * frequencies of the FFT has no weights.
 */
export function melBands({ rateHz, fftSize, mels, minimumHz, maximumHz }: MelForm): MelBand[] {
  const low = hzToMel(minimumHz);
  const high = hzToMel(maximumHz);
  const edges = Array.from({ length: mels + 2 }, (_, i) => melToHz(low + ((high - low) * i) / (mels + 1)));
  const stepHz = rateHz / fftSize;
  return Array.from({ length: mels }, (_, band) => {
    const [left, middle, right] = edges.slice(band, band + 3) as [number, number, number];
    const first = Math.floor(left / stepHz) + 1;
    const last = Math.min(Math.ceil(right / stepHz) - 1, fftSize / 2);
    const weights = Float64Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => {
      const hz = (first + i) * stepHz;
      const height = Math.min((hz - left) / (middle - left), (right - hz) / (right - middle));
      return (Math.max(0, height) * 2) / (right - left);
    });
    return { first, weights };
  });
}

/** Linear up to here, 200 Hz for 3 mels, and logarithmic from there on, 27 mels for a factor of 6.4. */
const bendHz = 1_000;
const hzPerMel = 200 / 3;
const bendMel = bendHz / hzPerMel;
const logStep = Math.log(6.4) / 27;

function hzToMel(hz: number): number {
  return hz < bendHz ? hz / hzPerMel : bendMel + Math.log(hz / bendHz) / logStep;
}

function melToHz(mel: number): number {
  return mel < bendMel ? mel * hzPerMel : bendHz * Math.exp(logStep * (mel - bendMel));
}
