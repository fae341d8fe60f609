import { describe, expect, it } from 'vitest';
import { Network, writeSafetensors } from '../../../native/index.js';
import { inLabelUnits } from '../../../services/training/label-units.js';

const spec = {
  inputs: 2,
  layers: [
    { type: 'dense' as const, units: 3, activation: 'tanh' as const },
    { type: 'dense' as const, units: 1, activation: 'linear' as const },
  ],
};

describe('inLabelUnits', () => {
  it('refuses weights without the layer', () => {
    expect(() => inLabelUnits(writeSafetensors(new Map(), {}), 1, [{ scale: 2, offset: 1 }])).toThrow(
      'layers.1.kernel',
    );
  });

  it('makes a network that answers what the other did, times scale plus offset', () => {
    const learned = Network.create(spec, 7);
    const bytes = learned.toSafetensors({ format: 'millrace.model/1' });
    const published = Network.fromSafetensors(spec, inLabelUnits(bytes, 1, [{ scale: 250, offset: 3_000 }]));
    const rows = Float32Array.of(0.5, -1, 2, 0.25);
    const [before, after] = [learned.predict(rows, 2), published.predict(rows, 2)];
    for (const [i, answer] of after.entries()) {
      // Weights and sums are rounded to float32 in another order: a few units in the last place of 3,000.
      expect(Math.abs(answer - (before[i]! * 250 + 3_000))).toBeLessThan(2e-3);
      expect(Math.abs(answer - 3_000)).toBeGreaterThan(1);
    }
    learned.dispose();
    published.dispose();
  });

  it('brings each of several answers into its own units', () => {
    const two = { ...spec, layers: [spec.layers[0]!, { ...spec.layers[1]!, units: 2 }] };
    const learned = Network.create(two, 7);
    const units = [
      { scale: 2, offset: 10 },
      { scale: 0.5, offset: -1 },
    ];
    const published = Network.fromSafetensors(two, inLabelUnits(learned.toSafetensors({}), 1, units));
    const rows = Float32Array.of(0.5, -1, 2, 0.25);
    const [before, after] = [learned.predict(rows, 2), published.predict(rows, 2)];
    for (const [i, answer] of after.entries()) {
      const { scale, offset } = units[i % 2]!;
      // Rounded to float32 in another order: a few units in the last place of 10.
      expect(Math.abs(answer - (before[i]! * scale + offset))).toBeLessThan(1e-5);
    }
    learned.dispose();
    published.dispose();
  });
});
