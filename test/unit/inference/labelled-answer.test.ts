import { describe, expect, it } from 'vitest';
import { labelAnswers } from '../../../services/inference/labelled-answer.js';

describe('labelAnswers', () => {
  it('refuses outputs that have no names', () => {
    expect(() => labelAnswers(new Float32Array(2), 1, null)).toThrow(/2 outputs without names/);
  });

  it('refuses an answer that is not finite, naming the record', () => {
    const output = Float32Array.of(1, Number.NaN);
    expect(() => labelAnswers(output, 2, null)).toThrow(/`records\[1\]`/);
  });

  it('sorts classes by probability, equal ones in the order of the classes', () => {
    const answers = labelAnswers(Float32Array.of(0.25, 0.5, 0.25), 1, ['a', 'b', 'c']);
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
    expect(labelAnswers(Float32Array.of(0.25), 1, ['no', 'yes'])).toEqual([
      {
        scores: [
          { label: 'no', probability: 0.75 },
          { label: 'yes', probability: 0.25 },
        ],
      },
    ]);
  });

  it('gives numbers as they are, row by row', () => {
    expect(labelAnswers(Float32Array.of(-1.5, 2), 2, null)).toEqual([{ number: -1.5 }, { number: 2 }]);
  });
});
