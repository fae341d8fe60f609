import type { NodeReader } from './node-reader.js';
import type { Value } from './value.js';

/** What is known of an operator of the standard's own set. */
export interface Operator {
  /** Fewest and most inputs. */
  inputs: readonly [number, number];
  /** All that it may be given. */
  attributes: readonly string[];
  /** First version of the set that has it, where that is above the oldest one supported. */
  since?: number;
  /** Reads a node and says what its first output is. */
  apply(node: NodeReader): Value;
}
