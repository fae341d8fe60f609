/** Rows by falling score, with the ends of those that have one score. */
export interface Ranking {
  /** Row numbers. */
  order: Uint32Array;
  /** Behind which places of `order` another score begins; its last one is the number of rows. */
  ends: Uint32Array;
}

/** A place on the ROC and the precision-recall curve: what is true of the rows whose score is at least `threshold`. */
export interface CurvePoint {
  threshold: number;
  /** Share of the negative rows that are above. */
  falsePositiveRate: number;
  /** Share of the positive rows that are above: recall. */
  truePositiveRate: number;
  /** Share of the rows above that are positive. */
  precision: number;
}

/** Areas under the two curves; null where rows are of one kind only. */
export interface Areas {
  /** Of the ROC curve, by trapezoids: the chance that a positive row has more than a negative one. */
  roc: number | null;
  /** Sum of precision times gain in recall, scikit-learn's `average_precision_score`. */
  averagePrecision: number | null;
}

/** @param scores one a row, finite; sorted as 32-bit keys beside 32-bit row numbers, which typed arrays do natively */
export function rankRows(scores: Float32Array): Ranking {
  const rows = scores.length;
  const bits = new Uint32Array(scores.buffer, scores.byteOffset, rows);
  const pairs = new BigUint64Array(rows);
  const halves = new Uint32Array(pairs.buffer);
  for (let row = 0; row < rows; row++) {
    // -0 and 0 are one score. Ascending keys are falling scores.
    const score = scores[row] === 0 ? 0 : bits[row]!;
    halves[2 * row] = row;
    halves[2 * row + 1] = score >>> 31 === 1 ? score : ~score & 0x7fff_ffff;
  }
  pairs.sort();
  const order = new Uint32Array(rows);
  const ends: number[] = [];
  for (let place = 0; place < rows; place++) {
    order[place] = halves[2 * place]!;
    if (place > 0 && halves[2 * place + 1] !== halves[2 * place - 1]) {
      ends.push(place);
    }
  }
  ends.push(rows);
  return { order, ends: Uint32Array.from(ends) };
}

/** @param isPositive 1 or 0 a row @param weights how often each row counts; null: once */
export function areasUnder({ order, ends }: Ranking, isPositive: Uint8Array, weights: Uint16Array | null): Areas {
  const rows = order.length;
  let [positives, negatives, area, precisionSum] = [0, 0, 0, 0];
  // Of the rows that share a score.
  let [positivesHere, negativesHere] = [0, 0];
  let group = 0;
  // Once a sample and class: nothing is made for a row.
  for (let place = 0; place < rows; place++) {
    const row = order[place]!;
    const weight = weights === null ? 1 : weights[row]!;
    const positive = weight * isPositive[row]!;
    positivesHere += positive;
    negativesHere += weight - positive;
    if (place + 1 < ends[group]!) {
      continue;
    }
    group++;
    area += negativesHere * (2 * positives + positivesHere);
    positives += positivesHere;
    negatives += negativesHere;
    if (positivesHere > 0) {
      precisionSum += (positivesHere * positives) / (positives + negatives);
    }
    positivesHere = 0;
    negativesHere = 0;
  }
  const isKnown = positives > 0 && negatives > 0;
  return {
    roc: isKnown ? area / (2 * positives * negatives) : null,
    averagePrecision: isKnown ? precisionSum / positives : null,
  };
}

/** At most `pointsMax` points of the curves, from the highest score on, evenly spread over the different scores. */
export function curvePoints(
  { order, ends }: Ranking,
  scores: Float32Array,
  isPositive: Uint8Array,
  pointsMax: number,
): CurvePoint[] {
  const rows = order.length;
  let positives = 0;
  for (const one of isPositive) {
    positives += one;
  }
  const points: CurvePoint[] = [];
  const stride = Math.max(1, (ends.length - 1) / Math.max(1, pointsMax - 1));
  let place = 0;
  let positivesAbove = 0;
  for (let i = 0; i < ends.length; i++) {
    for (; place < ends[i]!; place++) {
      positivesAbove += isPositive[order[place]!]!;
    }
    const isWanted = i === ends.length - 1 || Math.floor(i / stride) !== Math.floor((i - 1) / stride);
    if (isWanted) {
      points.push({
        threshold: scores[order[place - 1]!]!,
        falsePositiveRate: (place - positivesAbove) / Math.max(1, rows - positives),
        truePositiveRate: positivesAbove / Math.max(1, positives),
        precision: positivesAbove / place,
      });
    }
  }
  return points;
}
