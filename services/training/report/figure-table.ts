export type Figures = Record<string, number | null>;

/** Figures by name, each worked out when it is asked for: some take long. Null where the rows leave one undefined. */
export type FigureTable = Readonly<Record<string, () => number | null>>;

/** @param names of those that are wanted; default: all, in the table's order */
export function figuresOf(table: FigureTable, names: readonly string[] = Object.keys(table)): Figures {
  return Object.fromEntries(names.map((name) => [name, table[name]!()]));
}

/** What `make` gives, made when it is asked for the first time. */
export function once<T>(make: () => T): () => T {
  let made: { value: T } | null = null;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
