/**
 * How well parts of the rows tell the class: the uncertainty coefficient I(part; class) / H(class), 0 for not at all and 1 for
 * fully. The mutual information is corrected for what chance alone gives few rows in many parts (Miller 1955).
 */
export class ClassAssociation {
  readonly #counts = new Map<number, number>();
  readonly #ofPart: number[] = [];
  readonly #ofClass: number[] = [];
  #rows = 0;

  constructor(private readonly classes: number) {}

  add(part: number, label: number): void {
    const cell = part * this.classes + label;
    this.#counts.set(cell, (this.#counts.get(cell) ?? 0) + 1);
    this.#ofPart[part] = (this.#ofPart[part] ?? 0) + 1;
    this.#ofClass[label] = (this.#ofClass[label] ?? 0) + 1;
    this.#rows++;
  }

  get strength(): number {
    const entropy = entropyOf(this.#ofClass, this.#rows);
    if (entropy === 0) {
      return 0;
    }
    const parts = this.#ofPart.filter((count) => count > 0);
    const together = entropyOf([...this.#counts.values()], this.#rows);
    const information = entropyOf(parts, this.#rows) + entropy - together;
    // Pairs that never occur with a part that tells the class for sure bias nothing: count the cells that are there.
    const freedom = this.#counts.size - parts.length - this.#ofClass.filter((count) => count > 0).length + 1;
    return Math.min(Math.max((information - Math.max(freedom, 0) / (2 * this.#rows)) / entropy, 0), 1);
  }
}

/** In nats. */
function entropyOf(counts: readonly number[], rows: number): number {
  let entropy = 0;
  for (const count of counts) {
    entropy -= count > 0 ? (count / rows) * Math.log(count / rows) : 0;
  }
  return entropy;
}

/**
 * How well parts of the rows, or a number, tell a number: the share of its variance that the parts' means explain, corrected
 * for their number (Kelley's epsilon squared), or that a straight line does (Pearson's r squared), whichever is greater.
 */
export class NumberAssociation {
  readonly #counts: number[] = [];
  readonly #sums: number[] = [];
  #rows = 0;
  #squares = 0;
  /** Of both numbers' differences from their means. */
  #paired = { rows: 0, x: 0, y: 0, xx: 0, yy: 0, xy: 0 };

  /** @param y the label less its mean, in standard deviations; likewise x, null where the column has no number there */
  add(part: number, x: number | null, y: number): void {
    this.#counts[part] = (this.#counts[part] ?? 0) + 1;
    this.#sums[part] = (this.#sums[part] ?? 0) + y;
    this.#rows++;
    this.#squares += y * y;
    if (x !== null) {
      const paired = this.#paired;
      paired.rows++;
      paired.x += x;
      paired.y += y;
      paired.xx += x * x;
      paired.yy += y * y;
      paired.xy += x * y;
    }
  }

  get strength(): number {
    return Math.min(Math.max(this.#explainedByParts(), this.#explainedByLine(), 0), 1);
  }

  #explainedByParts(): number {
    const parts = this.#counts.filter((count) => count > 0).length;
    let [sum, between] = [0, 0];
    for (const [part, count] of this.#counts.entries()) {
      if (count > 0) {
        sum += this.#sums[part]!;
        between += this.#sums[part]! ** 2 / count;
      }
    }
    const total = this.#squares - sum ** 2 / this.#rows;
    const within = this.#squares - between;
    if (total <= 0 || this.#rows <= parts) {
      return 0;
    }
    return 1 - within / (this.#rows - parts) / (total / (this.#rows - 1));
  }

  #explainedByLine(): number {
    const { rows, x, y, xx, yy, xy } = this.#paired;
    const [varianceX, varianceY] = [xx - x ** 2 / rows, yy - y ** 2 / rows];
    // Missing values weigh as if the line told nothing of them.
    return rows < 3 || varianceX <= 0 || varianceY <= 0
      ? 0
      : ((xy - (x * y) / rows) ** 2 / (varianceX * varianceY)) * (rows / this.#rows);
  }
}
