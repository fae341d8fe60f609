/**
 * JSON text that is the same for the same value: keys sorted by code unit, no spaces, numbers in their shortest form that
 * reads back exactly. Numbers must be finite; keys with `undefined` are left out.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) {
    return `[${value.map(canonicalJson).join(',')}]`;
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined);
    entries.sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(',')}}`;
  }
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new Error(`not a JSON number: ${value}`);
  }
  return JSON.stringify(value);
}
