/**
 * Keys that hold a word in place of their value, by message and key: the word says that the flag, a field of the contract
 * beside it, is true. The flag itself is no key.
 */
const wordValues: Record<string, Record<string, WordValue>> = {
  '.millrace.v1.TrainingSpec': {
    batch_size: { word: 'full', flag: 'full_batch' },
    class_weights: { word: 'balanced', flag: 'balanced_class_weights' },
  },
};

export interface WordValue {
  word: string;
  flag: string;
}

/** @param message full name with a leading dot */
export function wordValueOf(message: string, key: string): WordValue | null {
  return wordValues[message]?.[key] ?? null;
}

/** Whether a field is written as a word of another key. */
export function isFlag(message: string, key: string): boolean {
  return Object.values(wordValues[message] ?? {}).some(({ flag }) => flag === key);
}

/** The key that a flag of any message is written under; null: it is no flag. */
export function keyOfFlag(name: string): string | null {
  const keys = Object.values(wordValues).flatMap((values) => Object.entries(values));
  return keys.find(([, { flag }]) => flag === name)?.[0] ?? null;
}
