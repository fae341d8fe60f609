/** Whether a text is a decimal number, as a CSV file writes one: `-1`, `2.5`, `1e-9`, with spaces around it or not. */
export function isNumberText(text: string): boolean {
  return /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(text);
}
