/** Sounds that only their form tells apart: pitch, loudness and noise behind them are drawn alike for all. */
export const toneRateHz = 8_000;
const waves = {
  sine: (cycles: number) => Math.sin(2 * Math.PI * cycles),
  square: (cycles: number) => (cycles % 1 < 0.5 ? 1 : -1),
  chirp: (cycles: number, share: number) => Math.sin(2 * Math.PI * cycles * (1 + 2 * share)),
  noise: (_cycles: number, _share: number, random: () => number) => 2 * random() - 1,
};

export type ToneKind = keyof typeof waves;
export const toneKinds = Object.keys(waves) as ToneKind[];

/** Between 0.4 and 0.5 seconds. @param random numbers from 0 to 1 */
export function tone(kind: ToneKind, random: () => number): Float64Array {
  const [pitchHz, loudness, noise] = [200 + 600 * random(), 0.1 + 0.5 * random(), 0.05 + 0.1 * random()];
  const length = Math.round((0.4 + 0.1 * random()) * toneRateHz);
  return Float64Array.from({ length }, (_, i) => {
    const wave = waves[kind]((pitchHz * i) / toneRateHz, i / length, random);
    return loudness * (wave + noise * (2 * random() - 1));
  });
}

/** Park and Miller's generator, from 0 to 1. */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}
