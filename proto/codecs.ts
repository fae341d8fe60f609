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

/**
 * What the files say that have been asked for. Each is parsed once, whichever contracts need it; with a root for each contract,
 * and the descriptors that @grpc/proto-loader makes of all of them, it was half the time that a service took to start.
 */
const loaded = emptyRoot();

/**
 * The methods of a service, as @grpc/grpc-js takes them.
 * @param file path under `proto/`
 * @param name full name
 */
export function serviceDefinition(file: string, name: string): grpc.ServiceDefinition {
  const { methodsArray } = loaded.loadSync(file).lookupService(name);
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
export function messageCodec(file: string, name: string): MessageCodec {
  return codecOf(loaded.loadSync(file).lookupType(name));
}

/** The descriptor of a message, with comments, and its fields' names as they stand in the .proto file. */
export function messageDescriptor(file: string, name: string): protobuf.Type {
  return emptyRoot().loadSync(file, { keepCase: true, alternateCommentMode: true }).lookupType(name);
}

function codecOf(type: protobuf.Type): MessageCodec {
  return {
    serialize: (message) => type.encode(type.fromObject(message)).finish() as Buffer,
    deserialize: (bytes) => type.toObject(type.decode(bytes), conversion),
  };
}

function emptyRoot(): protobuf.Root {
  const root = new protobuf.Root();
  // Imports are relative to `proto/`; those of google/protobuf come with the library.
  root.resolvePath = (_, file) => path.resolve(protoFolder, file);
  return root;
}
