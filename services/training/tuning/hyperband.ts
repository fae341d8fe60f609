import { halve, type Progress, type StopRule } from './stop-rules.js';

/** One successive halving. */
export interface Bracket {
  /** How many trials begin it in a round. */
  trials: number;
  /** Validations after which all but the best are stopped. */
  rungs: readonly number[];
}

/**
 * The brackets of Hyperband (Li et al. 2018, algorithm 1), that which stops trials the earliest first. All cost about the same: the
 * later the first rung, the fewer the trials.
 * @param maximumValidations of a trial that comes to its end
 */
export function bracketsOf(maximumValidations: number, reductionFactor: number): Bracket[] {
  let halvings = 0;
  while (reductionFactor ** (halvings + 1) <= maximumValidations) {
    halvings++;
  }
  return Array.from({ length: halvings + 1 }, (_, i) => {
    const own = halvings - i;
    return {
      trials: Math.ceil(((halvings + 1) / (own + 1)) * reductionFactor ** own),
      rungs: Array.from({ length: own }, (_, rung) => Math.floor(maximumValidations / reductionFactor ** (own - rung))),
    };
  });
}

/**
 * Deals trials out to brackets, in rounds in which each gets all of its trials, spread over the round as evenly as can be: so a search of
 * fewer trials has its share of every bracket too.
 * @returns for each of `count` trials the place of its bracket
 */
export function deal(brackets: readonly Bracket[], count: number): number[] {
  const round = brackets.reduce((sum, { trials }) => sum + trials, 0);
  const due = brackets.map(() => 0);
  return Array.from({ length: count }, () => {
    for (const [i, { trials }] of brackets.entries()) {
      due[i]! += trials;
    }
    const next = due.indexOf(Math.max(...due));
    due[next]! -= round;
    return next;
  });
}

/**
 * Hyperband: trials are shared out to brackets, and halved among those of their own. As in ASHA nobody waits for others: at a rung a
 * trial goes on if it is among the best of those that have come there.
 */
export class Hyperband implements StopRule {
  readonly #brackets: readonly Bracket[];
  readonly #dealt: readonly number[];

  /** @param trials most of the search */
  constructor(
    maximumValidations: number,
    private readonly reductionFactor: number,
    trials: number,
  ) {
    this.#brackets = bracketsOf(maximumValidations, reductionFactor);
    this.#dealt = deal(this.#brackets, trials);
  }

  reasonToStop({ number, curve }: Progress, others: readonly Progress[]): string | null {
    const place = this.#dealt[number]!;
    if (!this.#brackets[place]!.rungs.includes(curve.length)) {
      return null;
    }
    const rivals = others.filter((other) => this.#dealt[other.number] === place);
    return halve(curve, rivals, this.reductionFactor, `other trials of bracket ${place + 1}`);
  }
}
