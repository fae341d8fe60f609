import { invalidField } from './errors.js';

export const operators = ['=', '!=', '<=', '>=', '<', '>'] as const;
export type Operator = (typeof operators)[number];

/** One comparison of a filter, its value still a text. */
export interface Comparison {
  field: string;
  operator: Operator;
  value: string;
}

/** What must hold: of each inner list at least one comparison. Nothing: everything passes. */
export type Filter = Comparison[][];

const comparisonsMax = 50;
const token = /\s*(?:(?<text>"(?:[^"\\]|\\["\\])*")|(?<operator>!=|<=|>=|=|<|>)|(?<word>[\w.:/+@-]+))/y;

/**
 * Reads a filter, a subset of AIP-160: comparisons `field operator value` joined by AND and OR, where OR binds tighter, as it
 * does there. A value is a word, or a text in double quotes in which `\"` and `\\` stand for themselves.
 *
 *     state = QUEUED OR state = TRAINING AND owner = "Ann B." AND create_time >= 2026-01-31T00:00:00Z
 *
 * Throws INVALID_ARGUMENT for `filter` with the position of what is wrong.
 */
export function parseFilter(filter: string): Filter {
  const tokens = new Tokens(filter);
  const all: Filter = [];
  if (tokens.isAtEnd) {
    return all;
  }
  for (let count = 1, joint = 'AND'; ; count++) {
    if (count > comparisonsMax) {
      throw invalidField('filter', `Expected \`filter\` to have at most ${comparisonsMax} comparisons.`);
    }
    const comparison = readComparison(tokens);
    if (joint === 'OR') {
      all.at(-1)!.push(comparison);
    } else {
      all.push([comparison]);
    }
    if (tokens.isAtEnd) {
      return all;
    }
    joint = tokens.take('AND or OR', ({ word }) => (word === 'AND' || word === 'OR' ? word : null));
  }
}

function readComparison(tokens: Tokens): Comparison {
  const field = tokens.take('the name of a field', ({ word }) => (word && /^[a-z_][\w.-]*$/.test(word) ? word : null));
  const operator = tokens.take(`one of ${operators.join(' ')}`, ({ operator }) => (operator as Operator) ?? null);
  const value = tokens.take('a word or a text in double quotes', ({ word, text }) =>
    text === undefined ? (word ?? null) : text.slice(1, -1).replace(/\\(.)/g, '$1'),
  );
  return { field, operator, value };
}

class Tokens {
  #position = 0;

  constructor(private readonly source: string) {}

  get isAtEnd(): boolean {
    return this.source.slice(this.#position).trim() === '';
  }

  /** What `read` makes of the next token; refused when that is null. */
  take<Value>(expected: string, read: (groups: Record<string, string | undefined>) => Value | null): Value {
    token.lastIndex = this.#position;
    const match = token.exec(this.source);
    const value = match && read(match.groups!);
    if (value === null) {
      const rest = this.source.slice(this.#position).trimStart();
      const at = this.source.length - rest.length + 1;
      const found = rest === '' ? 'its end' : JSON.stringify(rest.length > 20 ? `${rest.slice(0, 20)}...` : rest);
      throw invalidField('filter', `Expected \`filter\` to have ${expected} at character ${at} but found ${found}.`);
    }
    this.#position = token.lastIndex;
    return value;
  }
}
