/** Messages that are written as a value of their own: in plain data nobody wants `{ number: 5 }`. */
export type ShortForm = 'scalar' | 'list';

const shortForms: Record<string, ShortForm> = {
  '.millrace.v1.ScalarValue': 'scalar',
  '.millrace.v1.Choice': 'list',
};

/** @param message full name with a leading dot */
export function shortFormOf(message: string): ShortForm | null {
  return shortForms[message] ?? null;
}

/** Which field of a ScalarValue holds a value; null: none does. */
export function scalarField(value: unknown): 'number' | 'text' | 'flag' | null {
  switch (typeof value) {
    case 'number':
      return 'number';
    case 'string':
      return 'text';
    case 'boolean':
      return 'flag';
    default:
      return null;
  }
}

/** The value that a ScalarValue holds. */
export function scalarOf({ number, text, flag }: { number?: number; text?: string; flag?: boolean }) {
  return number ?? text ?? flag ?? null;
}
