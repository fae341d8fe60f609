import { quote, type Violations } from './errors.js';

/** A message of a resource, by the names of its fields in this code: `true` for one that is changed as a whole. */
export type MaskFields = { readonly [name: string]: true | MaskFields };

type Message = Record<string, unknown>;

/**
 * `current` with the fields that an `update_mask` names taken from `given` (AIP-134, AIP-161). Paths that name no field are
 * noted, and skipped. Neither argument is changed.
 *
 * @param paths as the contract writes them, for example `batching.rows_max`; `*` is every field
 */
export function applyMask<T extends object>(
  current: T,
  given: T,
  paths: readonly string[],
  fields: MaskFields,
  violations: Violations,
): T {
  const result = structuredClone(current);
  for (const path of paths) {
    const names = path === '*' ? Object.keys(fields) : [path];
    if (!names.every((name) => copyField(result as Message, given as Message, name.split('.'), fields))) {
      const description = `Expected \`update_mask\` to name fields (${pathsOf(fields).join(', ')}) or * but received ${quote(path)}.`;
      violations.add('update_mask', description);
    }
  }
  return result;
}

/** @returns false when there is no such field */
function copyField(target: Message, source: Message, path: readonly string[], fields: MaskFields): boolean {
  const [first, ...rest] = path;
  const name = toCamelCase(first!);
  const field = Object.hasOwn(fields, name) ? fields[name]! : null;
  if (field === null || (field === true && rest.length > 0)) {
    return false;
  }
  if (field === true || rest.length === 0) {
    target[name] = structuredClone(source[name]);
    return true;
  }
  return copyField(target[name] as Message, source[name] as Message, rest, field);
}

function pathsOf(fields: MaskFields, prefix = ''): string[] {
  return Object.entries(fields).flatMap(([name, field]) => {
    const path = prefix + toSnakeCase(name);
    return field === true ? [path] : [path, ...pathsOf(field, `${path}.`)];
  });
}

const toCamelCase = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
const toSnakeCase = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
