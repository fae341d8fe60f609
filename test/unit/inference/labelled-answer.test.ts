import { describe, expect, it } from 'vitest';
import { labelAnswers, type OutputMeaning } from '../../../services/inference/labelled-answer.js';

/** One number a row. */
const single: OutputMeaning = { classes: null, multiLabel: false, numbers: null };

describe('labelAnswers', () => {
  it('refuses outputs that have no names', () => {
    expect(() => labelAnswers(new Float32Array(2), 1, single)).toThrow(/2 outputs without names/);
  });

  it('refuses an answer that is not finite, naming the record', () => {
    const output = Float32Array.of(1, Number.NaN);
    expect(() => labelAnswers(output, 2, single)).toThrow(/`records\[1\]`/);
  });

  it('sorts classes by probability, equal ones in the order of the classes', () => {
    const answers = labelAnswers(Float32Array.of(0.25, 0.5, 0.25), 1, { ...single, classes: ['a', 'b', 'c'] });
    expect(answers).toEqual([
      {
        scores: [
          { label: 'b', probability: 0.5 },
          { label: 'a', probability: 0.25 },
          { label: 'c', probability: 0.25 },
        ],
      },
    ]);
  });

  it('reads a single output as the probability of the second class', () => {
    expect(labelAnswers(Float32Array.of(0.25), 1, { ...single, classes: ['no', 'yes'] })).toEqual([
      {
        scores: [
          { label: 'no', probability: 0.75 },
          { label: 'yes', probability: 0.25 },
        ],
      },
    ]);
  });

  it('gives numbers as they are, row by row', () => {
    expect(labelAnswers(Float32Array.of(-1.5, 2), 2, single)).toEqual([{ number: -1.5 }, { number: 2 }]);
  });

  it('names each of several numbers', () => {
    const answers = labelAnswers(Float32Array.of(1, 2, 3, -4), 2, { ...single, numbers: ['height', 'depth'] });
    expect(answers).toEqual([
      {
        numbers: [
          { name: 'height', value: 1 },
          { name: 'depth', value: 2 },
        ],
      },
      {
        numbers: [
          { name: 'height', value: 3 },
          { name: 'depth', value: -4 },
        ],
      },
    ]);
  });

  it('answers every class above a half, likeliest first, where they do not exclude each other', () => {
    const output = Float32Array.of(0.75, 0.5, 0.875, 0.25, 0.125, 0);
    const [several, none] = labelAnswers(output, 2, { ...single, classes: ['a', 'b', 'c'], multiLabel: true });
    expect(several).toEqual({
      labels: ['c', 'a'],
      scores: [
        { label: 'c', probability: 0.875 },
        { label: 'a', probability: 0.75 },
        { label: 'b', probability: 0.5 },
      ],
    });
    expect(none).toMatchObject({ labels: [] });
  });

  it('takes a single output for the probability of its only class', () => {
    const scores = [{ label: 'a', probability: 0.75 }];
    expect(labelAnswers(Float32Array.of(0.75), 1, { ...single, classes: ['a'], multiLabel: true })).toEqual([
      { scores, labels: ['a'] },
    ]);
  });
});
