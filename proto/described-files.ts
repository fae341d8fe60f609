import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import protobuf from 'protobufjs';

/** What is read of `google.protobuf.FileDescriptorProto`: enough to find files by what they declare. */
interface FileIndex {
  name: string;
  package: string;
  dependency: string[];
  messageType: MessageIndex[];
  enumType: Named[];
  service: (Named & { method: Named[] })[];
}

interface MessageIndex extends Named {
  nestedType: MessageIndex[];
  enumType: Named[];
}

interface Named {
  name: string;
}

const indexRoot = protobuf.Root.fromJSON({
  nested: {
    FileSet: { fields: { file: { rule: 'repeated', type: 'bytes', id: 1 } } },
    File: {
      fields: {
        name: { type: 'string', id: 1 },
        package: { type: 'string', id: 2 },
        dependency: { rule: 'repeated', type: 'string', id: 3 },
        messageType: { rule: 'repeated', type: 'Message', id: 4 },
        enumType: { rule: 'repeated', type: 'Named', id: 5 },
        service: { rule: 'repeated', type: 'Service', id: 6 },
      },
    },
    Message: {
      fields: {
        name: { type: 'string', id: 1 },
        nestedType: { rule: 'repeated', type: 'Message', id: 3 },
        enumType: { rule: 'repeated', type: 'Named', id: 4 },
      },
    },
    Service: { fields: { name: { type: 'string', id: 1 }, method: { rule: 'repeated', type: 'Named', id: 2 } } },
    Named: { fields: { name: { type: 'string', id: 1 } } },
  },
});

/**
 * All .proto files as their compiler described them, comments included. protobufjs cannot make such descriptions itself: its
 * own lack dependencies and the names of map entries, and other languages refuse them.
 */
export class DescribedFiles {
  static #all: DescribedFiles | null = null;
  readonly #bytes = new Map<string, Uint8Array>();
  readonly #dependencies = new Map<string, readonly string[]>();
  readonly #fileBySymbol = new Map<string, string>();

  /** Read when first asked for. */
  static get all(): DescribedFiles {
    DescribedFiles.#all ??= new DescribedFiles(
      readFileSync(createRequire(import.meta.url).resolve('#proto/gen/descriptors.binpb')),
    );
    return DescribedFiles.#all;
  }

  private constructor(fileSet: Uint8Array) {
    const fileType = indexRoot.lookupType('File');
    const { file } = indexRoot.lookupType('FileSet').decode(fileSet) as unknown as { file: Uint8Array[] };
    for (const bytes of file) {
      const index = fileType.toObject(fileType.decode(bytes), { defaults: true }) as FileIndex;
      this.#bytes.set(index.name, bytes);
      this.#dependencies.set(index.name, index.dependency);
      for (const symbol of symbolsOf(index)) {
        this.#fileBySymbol.set(symbol, index.name);
      }
    }
  }

  /** Name of the file that declares this full name of a message, enum, service or method; null when none does. */
  declaring(symbol: string): string | null {
    return this.#fileBySymbol.get(symbol) ?? null;
  }

  /** A serialised `FileDescriptorProto`, followed by those of all files that it needs; null for an unknown file. */
  withDependencies(name: string): Uint8Array[] | null {
    if (!this.#bytes.has(name)) {
      return null;
    }
    const names = new Set([name]);
    // A set walks over what is added on the way.
    for (const file of names) {
      for (const dependency of this.#dependencies.get(file)!) {
        names.add(dependency);
      }
    }
    return [...names].map((file) => this.#bytes.get(file)!);
  }
}

function* symbolsOf({ package: scope, messageType, enumType, service }: FileIndex): Generator<string> {
  yield* messageSymbols(scope, messageType);
  yield* enumType.map(({ name }) => `${scope}.${name}`);
  for (const { name, method } of service) {
    yield `${scope}.${name}`;
    yield* method.map((each) => `${scope}.${name}.${each.name}`);
  }
}

function* messageSymbols(scope: string, messages: MessageIndex[]): Generator<string> {
  for (const { name, nestedType, enumType } of messages) {
    const full = `${scope}.${name}`;
    yield full;
    yield* enumType.map((each) => `${full}.${each.name}`);
    yield* messageSymbols(full, nestedType);
  }
}
