import { describe, expect, it } from 'vitest';
import { nearest } from '../../../services/platform/nearest-name.js';

describe('nearest', () => {
  it('guesses nothing where nothing is close', () => {
    expect(nearest('temperature', ['age', 'label'])).toBeNull();
    expect(nearest('x', [])).toBeNull();
  });

  it('finds the name with the fewest letters changed, whatever the case', () => {
    expect(nearest('Labl', ['label', 'table', 'image'])).toBe('label');
    expect(nearest('imag', ['label', 'image'])).toBe('image');
  });
});
