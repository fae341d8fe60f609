import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type * as grpc from '@grpc/grpc-js';
import protobuf from 'protobufjs';

const protoFolder = path.dirname(createRequire(import.meta.url).resolve('#proto/buf.yaml'));

/** Writes and reads one message. */
export interface MessageCodec {
  serialize(message: object): Buffer;
  deserialize(bytes: Uint8Array): object;
}

/** As `proto-loader-gen-types` is told for the generated types. */
const conversion: protobuf.IConversionOptions = { longs: Number, enums: String, defaults: true, oneofs: true };

let contracts: protobuf.Root | null = null;

/**
 * What all files say. It is read from what `write-contracts.mjs` made of them, and a type's fields are looked up when the type is
 * first used: parsing the files, and looking up all that is in them, took four times as long in each process that starts.
 */
function contractsRoot(): protobuf.Root {
  if (!contracts) {
    const file = createRequire(import.meta.url).resolve('#proto/gen/contracts.json');
    const { nested } = JSON.parse(readFileSync(file, 'utf8')) as protobuf.INamespace;
    contracts = new protobuf.Root();
    contracts.addJSON(nested!);
    // What a file's syntax says of presence and packing; only `resolveAll` does it too, with everything else.
    const root = contracts as unknown as { _edition: string; _resolveFeaturesRecursive(edition: string): void };
    root._resolveFeaturesRecursive(root._edition);
  }
  return contracts;
}

/**
 * The methods of a service, as @grpc/grpc-js takes them.
 * @param name full name
 */
export function serviceDefinition(name: string): grpc.ServiceDefinition {
  const { methodsArray } = contractsRoot().lookupService(name);
  return Object.fromEntries(
    methodsArray.map((method) => {
      const { resolvedRequestType: request, resolvedResponseType: response } = method.resolve() as protobuf.Method;
      const [requests, responses] = [codecOf(request!), codecOf(response!)];
      const definition: grpc.MethodDefinition<object, object> = {
        path: `/${name}/${method.name}`,
        requestStream: method.requestStream === true,
        responseStream: method.responseStream === true,
        requestSerialize: requests.serialize,
        requestDeserialize: requests.deserialize,
        responseSerialize: responses.serialize,
        responseDeserialize: responses.deserialize,
      };
      return [method.name, definition];
    }),
  );
}

/** @param name full name */
export function messageCodec(name: string): MessageCodec {
  return codecOf(contractType(name));
}

/** The descriptor of a message, parsed from its file (a path under `proto/`), with comments, and its fields' names as they stand in the .proto file. */
export function messageDescriptor(file: string, name: string): protobuf.Type {
  const root = new protobuf.Root();
  // Imports are relative to `proto/`; those of google/protobuf come with the library.
  root.resolvePath = (_, imported) => path.resolve(protoFolder, imported);
  return root.loadSync(file, { keepCase: true, alternateCommentMode: true }).lookupType(name);
}

/**
 * A message of the contracts, as it is written and read; not to be changed.
 * @param name full name
 */
export function contractType(name: string): protobuf.Type {
  return contractsRoot().lookupType(name);
}

function codecOf(type: protobuf.Type): MessageCodec {
  return {
    serialize: (message) => type.encode(type.fromObject(message)).finish() as Buffer,
    deserialize: (bytes) => type.toObject(type.decode(bytes), conversion),
  };
}
