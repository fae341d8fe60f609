import { readFile } from 'node:fs/promises';
import { SpecText } from '../sdk/index.js';

/** A specification of a file, which knows its lines. @throws InvalidSpecError for one that is neither YAML nor JSON */
export async function specText(file: string): Promise<SpecText> {
  return new SpecText(await readFile(file, 'utf8'), file);
}
