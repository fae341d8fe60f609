import { describe, expect, it } from 'vitest';
import { rate, remainingSeconds } from '../../../services/training/progress.js';

describe('rate', () => {
  it('is 0 before any time has passed', () => {
    expect(rate(32, 0)).toBe(0);
  });

  it('divides', () => {
    expect(rate(100, 0.5)).toBe(200);
  });
});

describe('remainingSeconds', () => {
  const position = { epoch: 2, epochs: 5, examples: 250, examplesPerEpoch: 1_000, validated: false };

  it('is 0 while the pace is unknown', () => {
    expect(remainingSeconds(position, { examplesPerSecond: 0, validationSeconds: 1 })).toBe(0);
  });

  it('counts the rest of this epoch, later epochs and their validations', () => {
    expect(remainingSeconds(position, { examplesPerSecond: 100, validationSeconds: 1 })).toBe(7.5 + 30 + 4);
  });

  it('counts later epochs only once this one is done', () => {
    const done = { ...position, examples: 1_000, validated: true };
    expect(remainingSeconds(done, { examplesPerSecond: 100, validationSeconds: 1 })).toBe(30 + 3);
    expect(remainingSeconds({ ...done, epoch: 5 }, { examplesPerSecond: 100, validationSeconds: 1 })).toBe(0);
  });
});
