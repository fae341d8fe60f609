import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bracketsOf, deal, Hyperband } from '../../../services/training/tuning/hyperband.js';
import { cumulative, logMass } from '../../../services/training/tuning/normal-distribution.js';
import { ParzenEstimator } from '../../../services/training/tuning/parzen-estimator.js';
import { RandomSearcher } from '../../../services/training/tuning/random-searcher.js';
import {
  type Assignment,
  isActive,
  type Parameter,
  type SearchSpace,
  valueAt,
} from '../../../services/training/tuning/search-space.js';
import type { PastTrial, Searcher } from '../../../services/training/tuning/searcher.js';
import { SobolSearcher } from '../../../services/training/tuning/sobol-searcher.js';
import { SobolSequence } from '../../../services/training/tuning/sobol-sequence.js';
import { MedianStopping, SuccessiveHalving } from '../../../services/training/tuning/stop-rules.js';
import { goodCount, TpeSearcher } from '../../../services/training/tuning/tpe-searcher.js';
import { rank } from '../../../services/training/tuning/trial-ranking.js';

const rate: Parameter = { name: 'rate', range: { type: 'logUniform', low: 1e-4, high: 1 }, when: [] };
const dropout: Parameter = { name: 'dropout', range: { type: 'uniform', low: 0, high: 0.5 }, when: [] };
const depth: Parameter = { name: 'depth', range: { type: 'integer', low: 1, high: 4, step: 1, log: false }, when: [] };
const width: Parameter = {
  name: 'width',
  range: { type: 'integer', low: 4, high: 256, step: 1, log: true },
  when: [{ parameter: 'depth', atLeast: 2 }],
};
const kind: Parameter = { name: 'kind', range: { type: 'choice', options: ['adam', 'sgd', 'lion'] }, when: [] };
const momentum: Parameter = {
  name: 'momentum',
  range: { type: 'uniform', low: 0, high: 1 },
  when: [{ parameter: 'kind', oneOf: ['sgd'] }],
};
const space: SearchSpace = [rate, dropout, depth, width, kind, momentum];

/** Least 0, at a rate of 0.01, no dropout, depth 3, width 64, sgd, momentum 0.9. */
function loss({ rate, dropout, depth, width, kind, momentum }: Assignment): number {
  const factor = (Math.log10(rate as number) + 2) ** 2;
  const network = ((depth as number) - 3) ** 2 / 4 + (Math.log2((width as number | undefined) ?? 4) - 6) ** 2 / 8;
  return factor + (dropout as number) + network + (kind === 'sgd' ? Math.abs((momentum as number) - 0.9) : 1.5);
}

/** Runs trials one after another, or `parallel` at once. */
function search(searcher: Searcher, count: number, objective = loss, parallel = 1): PastTrial[] {
  const trials: PastTrial[] = [];
  for (let number = 0; number < count; number++) {
    const values = searcher.suggest(space, trials, number);
    trials.push({ number, values, state: 'running', score: null, epochs: 0 });
    const done = trials[number - parallel + 1];
    if (done) {
      Object.assign(done, { state: 'complete', score: objective(done.values), epochs: 5 });
    }
  }
  return trials;
}

const bestOf = (trials: PastTrial[]) => Math.min(...trials.flatMap(({ score }) => score ?? []));

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

const searchers: [string, (seed: number) => Searcher][] = [
  ['random', (seed) => new RandomSearcher(seed)],
  ['sobol', (seed) => new SobolSearcher(seed)],
  ['tpe', (seed) => new TpeSearcher(seed)],
];

describe.each(searchers)('%s', (_, create) => {
  const trials = search(create(5), 60);

  it('stays within the ranges, and leaves out what is not there', () => {
    for (const { values } of trials) {
      expect(values.rate).toBeGreaterThanOrEqual(1e-4);
      expect(values.rate).toBeLessThanOrEqual(1);
      expect([1, 2, 3, 4]).toContain(values.depth);
      expect(values.width !== undefined).toBe((values.depth as number) >= 2);
      expect(values.momentum !== undefined).toBe(values.kind === 'sgd');
      if (values.width !== undefined) {
        expect(Number.isInteger(values.width) && Number(values.width) >= 4 && Number(values.width) <= 256).toBe(true);
      }
    }
    const { size } = new Set(trials.map(({ values }) => JSON.stringify(values)));
    expect(size).toBe(trials.length);
  });

  it('suggests the same after an interruption, and something else with another seed', () => {
    const next = create(5).suggest(space, trials.slice(0, 37), 37);
    expect(next).toEqual(trials[37]!.values);
    expect(create(6).suggest(space, trials.slice(0, 37), 37)).not.toEqual(next);
  });
});

describe('TPE', () => {
  const seeds = Array.from({ length: 7 }, (_, seed) => seed);

  it('comes much closer than random search, one trial at a time and four at once', () => {
    const best = (create: (seed: number) => Searcher, parallel: number) =>
      median(seeds.map((seed) => bestOf(search(create(seed), 50, loss, parallel))));
    const random = best((seed) => new RandomSearcher(seed), 1);
    // A fifth of it as measured, four at once two fifths.
    expect(best((seed) => new TpeSearcher(seed), 1)).toBeLessThan(0.6 * random);
    expect(best((seed) => new TpeSearcher(seed), 4)).toBeLessThan(0.7 * random);
  });

  it('counts the best 15 of 100 as good, 25 at most', () => {
    expect([1, 6, 7, 100, 1_000].map(goodCount)).toEqual([1, 1, 2, 15, 25]);
  });

  it('ranks complete trials by score, then stopped ones by how far they came, then failed ones', () => {
    const trial = (number: number, state: PastTrial['state'], score: number | null, epochs: number) => ({
      ...{ number, state, score, epochs, values: {} },
    });
    const trials = [
      trial(0, 'failed', null, 3),
      trial(1, 'stopped', 0.1, 1),
      trial(2, 'stopped', 0.3, 9),
      trial(3, 'complete', 0.5, 27),
      trial(4, 'complete', 0.4, 27),
      trial(5, 'stopped', 0.2, 9),
    ];
    expect(rank(trials).map(({ number }) => number)).toEqual([4, 3, 5, 2, 1, 0]);
  });
});

describe('ParzenEstimator', () => {
  const integer: Parameter = {
    name: 'n',
    range: { type: 'integer', low: 2, high: 20, step: 3, log: false },
    when: [],
  };

  it.each<[string, Assignment[]]>([
    ['no observation', []],
    [
      'some',
      [
        { n: 5, kind: 'sgd' },
        { n: 8, kind: 'sgd' },
        { n: 8, kind: 'lion' },
      ],
    ],
    ['many', Array.from({ length: 40 }, (_, i) => ({ n: 2 + 3 * (i % 7), kind: 'adam' }))],
  ])('of %s gives all values together probability 1', (_, observations) => {
    const estimator = new ParzenEstimator([integer, kind], observations);
    let sum = 0;
    for (let n = 2; n <= 20; n += 3) {
      for (const option of ['adam', 'sgd', 'lion']) {
        sum += Math.exp(estimator.logDensity({ n, kind: option }));
      }
    }
    expect(sum).toBeCloseTo(1, 9);
  });

  it('has a density over a continuous range whose integral is 1', () => {
    const estimator = new ParzenEstimator([dropout], [{ dropout: 0.01 }, { dropout: 0.02 }, { dropout: 0.4 }]);
    const points = 20_000;
    let sum = 0;
    for (let i = 0; i < points; i++) {
      sum += (Math.exp(estimator.logDensity({ dropout: (0.5 * (i + 0.5)) / points })) * 0.5) / points;
    }
    // The error of the midpoint rule.
    expect(sum).toBeCloseTo(1, 6);
  });
});

describe('the normal distribution', () => {
  // From SciPy 1.17.1: norm.cdf, and norm.logcdf of the tail.
  it.each([
    [-37, 5.725571222524576e-300],
    [-6, 9.865876450376946e-10],
    [-5, 2.866515718791933e-7],
    [-1, 0.15865525393145707],
    [0.3, 0.6179114221889526],
    [6, 0.9999999990134123],
  ])('has the probability of SciPy below %d', (x, expected) => {
    // Below -5 the series about 0 has lost seven digits of sixteen.
    expect(cumulative(x) / expected).toBeCloseTo(1, 8);
  });

  it('has the mass of intervals far out in both tails', () => {
    // From SciPy 1.17.1, made of two norm.logcdf.
    expect(logMass(-40, -39)).toBeCloseTo(-765.0831565643776, 9);
    expect(logMass(39, 40)).toBe(logMass(-40, -39));
    expect(logMass(-1, 2)).toBeCloseTo(Math.log(cumulative(2) - cumulative(-1)), 12);
  });
});

describe('SobolSequence', () => {
  it('equals that of SciPy', () => {
    const golden = JSON.parse(readFileSync(new URL('../../golden/sobol.json', import.meta.url), 'utf8')) as {
      points: { index: number; point: number[] }[];
    };
    const sequence = new SobolSequence(64, null);
    for (const { index, point } of golden.points) {
      expect(sequence.point(index).map((value) => value * 2 ** 32)).toEqual(point);
    }
  });

  it('scrambled, has one point in each of 64 equal parts of every dimension, and other points for each seed', () => {
    const points = (seed: number) => Array.from({ length: 64 }, (_, i) => new SobolSequence(64, seed).point(i));
    const first = points(1);
    for (let dimension = 0; dimension < 64; dimension++) {
      const parts = new Set(first.map((point) => Math.floor(point[dimension]! * 64)));
      expect(parts.size).toBe(64);
    }
    expect(points(2)).not.toEqual(first);
  });
});

describe('ranges', () => {
  it('have their ends within reach, and nothing beyond', () => {
    const nearly1 = 1 - 2 ** -33;
    expect(
      [0, nearly1].map((share) => valueAt({ type: 'integer', low: 1, high: 8, step: 3, log: false }, share)),
    ).toEqual([1, 7]);
    expect([0, nearly1].map((share) => valueAt(width.range, share))).toEqual([4, 256]);
    expect([0, 0.5, nearly1].map((share) => valueAt(kind.range, share))).toEqual(['adam', 'sgd', 'lion']);
    expect(valueAt(rate.range, 0.5)).toBeCloseTo(0.01, 10);
  });

  it('of a parameter below another that is not there are not there either', () => {
    const below: Parameter = { ...dropout, when: [{ parameter: 'momentum', atLeast: 0.5 }] };
    expect(isActive(below, { kind: 'adam' })).toBe(false);
    expect(isActive(below, { kind: 'sgd', momentum: 0.4 })).toBe(false);
    expect(isActive(below, { kind: 'sgd', momentum: 0.5 })).toBe(true);
  });
});

const trial = (...curve: number[]) => ({ number: 0, curve });
const other = (curve: number[], isComplete = false) => ({ number: 1, curve, isComplete });

describe('successive halving', () => {
  const rule = new SuccessiveHalving(1, 3);
  const trials = (...scores: number[]) => scores.map((score) => other([score]));

  it('promotes the best third of a rung, and always the best of few', () => {
    expect(rule.reasonToStop(trial(5), [])).toBeNull();
    expect(rule.reasonToStop(trial(5), trials(4))).toMatch(/1 of the 1 other trials/);
    // Of nine the best three go on, as in figure 1 of the paper.
    const others = trials(1, 2, 3, 4, 6, 7, 8, 9);
    expect(rule.reasonToStop(trial(2.5), others)).toBeNull();
    expect(rule.reasonToStop(trial(3.5), others)).toBe(
      '3 of the 8 other trials that were validated once are better, and 3 may go on',
    );
  });

  it('asks at rungs only: 1, 3, 9, 27 validations', () => {
    const epochs = Array.from({ length: 30 }, (_, i) => i + 1);
    expect(epochs.filter((epoch) => rule.isRung(epoch))).toEqual([1, 3, 9, 27]);
    expect(rule.reasonToStop(trial(9, 9), [other([1, 1])])).toBeNull();
    expect(rule.reasonToStop(trial(9, 9, 9), [other([1, 1, 1])])).not.toBeNull();
  });

  it('compares with what others had in that epoch, and those that have not come so far do not count', () => {
    expect(rule.reasonToStop(trial(2), [other([3, 1, 1])])).toBeNull();
    expect(rule.reasonToStop(trial(9, 9, 9), [other([1, 1])])).toBeNull();
  });
});

describe('median stopping', () => {
  const rule = new MedianStopping();
  const complete = [1, 2, 3, 4, 5].map((score) => other([score, score], true));

  it('ends what is worse than the median of five or more complete trials', () => {
    expect(rule.reasonToStop(trial(3, 3.5), complete)).toBeNull();
    expect(rule.reasonToStop(trial(3.1), complete)).toBe(
      'it is worse than the median of 5 complete trials when they were validated once',
    );
    expect(rule.reasonToStop(trial(9), complete.slice(1))).toBeNull();
    expect(
      rule.reasonToStop(
        trial(9),
        complete.map((trial) => ({ ...trial, isComplete: false })),
      ),
    ).toBeNull();
  });
});

describe('Hyperband', () => {
  it('has the brackets of table 1 of the paper: 81 validations, a factor of 3', () => {
    const brackets = bracketsOf(81, 3);
    expect(brackets.map(({ trials }) => trials)).toEqual([81, 34, 15, 8, 5]);
    expect(brackets.map(({ rungs }) => rungs)).toEqual([[1, 3, 9, 27], [3, 9, 27], [9, 27], [27], []]);
  });

  it('of validations that are no power of the factor has rungs at whole ones', () => {
    expect(bracketsOf(40, 3)).toEqual([
      { trials: 27, rungs: [1, 4, 13] },
      { trials: 12, rungs: [4, 13] },
      { trials: 6, rungs: [13] },
      { trials: 4, rungs: [] },
    ]);
    expect(bracketsOf(4, 4)).toEqual([
      { trials: 4, rungs: [1] },
      { trials: 2, rungs: [] },
    ]);
    // Exact for powers, where a quotient of logarithms is not: log(243) / log(3) is 4.999...
    expect(bracketsOf(243, 3)).toHaveLength(6);
  });

  it('deals trials out evenly, and a whole round exactly', () => {
    const brackets = bracketsOf(81, 3);
    const dealt = deal(brackets, 286);
    for (let count = 1; count <= dealt.length; count++) {
      for (const [i, { trials }] of brackets.entries()) {
        const given = dealt.slice(0, count).filter((place) => place === i).length;
        expect(Math.abs(given - (count * trials) / 143)).toBeLessThan(1.5);
        if (count % 143 === 0) {
          expect(given).toBe((count / 143) * trials);
        }
      }
    }
  });

  it('compares a trial at the rungs of its bracket, with others of that', () => {
    const rule = new Hyperband(9, 3, 17);
    const dealt = deal(bracketsOf(9, 3), 17);
    const of = (bracket: number) => dealt.flatMap((place, number) => (place === bracket ? number : []));
    const [first, second] = of(0) as [number, number];
    const better = [{ number: second, curve: [1, 1, 1] }];
    expect(rule.reasonToStop({ number: first, curve: [2] }, better)).toBe(
      '1 of the 1 other trials of bracket 1 that were validated once are better, and 1 may go on',
    );
    expect(rule.reasonToStop({ number: first, curve: [2, 2] }, better)).toBeNull();
    expect(rule.reasonToStop({ number: of(1)[0]!, curve: [2, 2, 2] }, better)).toBeNull();
    expect(rule.reasonToStop({ number: of(1)[0]!, curve: [2] }, [{ number: of(1)[1]!, curve: [1] }])).toBeNull();
    expect(
      rule.reasonToStop({ number: of(2)[0]!, curve: [2, 2, 2] }, [{ number: of(2)[1]!, curve: [1, 1, 1] }]),
    ).toBeNull();
  });
});
