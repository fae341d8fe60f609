import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** A file of the work tree. */
export interface SourceFile {
  /** From the root, with `/`. */
  path: string;
  text: string;
}

const generated = [
  'proto/gen',
  'native/build',
  'clients/go/gen',
  'clients/java/target',
  'clients/python/generated',
  'clients/rust/target',
];

/** All files of ours under a folder, apart from what is generated or installed. */
export function sourceFiles(root: string, folder: string): SourceFile[] {
  return readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const at = `${folder}/${entry.name}`;
    if (entry.isDirectory()) {
      const left = entry.name === 'node_modules' || entry.name.startsWith('__') || generated.includes(at);
      return left ? [] : sourceFiles(root, at);
    }
    return [{ path: at, text: readFileSync(path.join(root, at), 'utf8') }];
  });
}

/** What a TypeScript or JavaScript file imports: modules of ours as paths from the root, others by name. */
export function importsOf({ path: from, text }: SourceFile): string[] {
  const pattern = /(?:^|[\s;}])(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g;
  return [...text.matchAll(pattern)].map(([, specifier]) =>
    specifier!.startsWith('.') ? path.posix.join(path.posix.dirname(from), specifier!) : specifier!,
  );
}

/** What a C++ file includes: `<name>` or `"name"`. */
export function includesOf({ text }: SourceFile): string[] {
  return [...text.matchAll(/^\s*#\s*include\s+([<"][^>"]+[>"])/gm)].map(([, name]) => name!);
}
