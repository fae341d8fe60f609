import type { ServerReflectionRequest__Output as Request } from '../../proto/gen/grpc/reflection/v1/ServerReflectionRequest.js';
import type { ServerReflectionResponse as Response } from '../../proto/gen/grpc/reflection/v1/ServerReflectionResponse.js';
import { contracts, DescribedFiles } from '../../proto/index.js';
import { type CallContext, type ImplementedContract, implement } from './handler.js';

/**
 * Server reflection in both versions that clients ask for. The ready-made package is not used because it hands out what
 * protobufjs makes of the .proto files, which Go and C++ refuse.
 *
 * @param names full names of the services beside reflection itself
 */
export function reflectionServices(names: readonly string[]): ImplementedContract[] {
  const { reflection, reflectionAlpha } = contracts;
  const services = [...names, reflection.name, reflectionAlpha.name];
  const ServerReflectionInfo = async function* (requests: AsyncIterable<Request>, { stopping }: CallContext) {
    for await (const request of untilAborted(requests, stopping)) {
      yield { validHost: request.host, originalRequest: request, ...answer(request, services) };
    }
  };
  return [implement(reflection, { ServerReflectionInfo }), implement(reflectionAlpha, { ServerReflectionInfo })];
}

const invalidArgument = 3;
const notFound = 5;

function answer(request: Request, services: readonly string[]): Response {
  switch (request.messageRequest) {
    case 'listServices':
      return { listServicesResponse: { service: services.map((name) => ({ name })) } };
    case 'fileByFilename':
      return fileAnswer(request.fileByFilename!, `file ${request.fileByFilename}`);
    case 'fileContainingSymbol': {
      const symbol = request.fileContainingSymbol!;
      return fileAnswer(DescribedFiles.all.declaring(symbol), `symbol ${symbol}`);
    }
    case 'fileContainingExtension': {
      // There is none in these contracts.
      const { containingType, extensionNumber } = request.fileContainingExtension!;
      return fileAnswer(null, `extension ${extensionNumber} of ${containingType}`);
    }
    case 'allExtensionNumbersOfType': {
      const baseTypeName = request.allExtensionNumbersOfType!;
      return DescribedFiles.all.declaring(baseTypeName) === null
        ? fileAnswer(null, `type ${baseTypeName}`)
        : { allExtensionNumbersResponse: { baseTypeName, extensionNumber: [] } };
    }
    default:
      return { errorResponse: { errorCode: invalidArgument, errorMessage: 'The request asks for nothing.' } };
  }
}

function fileAnswer(file: string | null, what: string): Response {
  const fileDescriptorProto = file === null ? null : DescribedFiles.all.withDependencies(file);
  return fileDescriptorProto
    ? { fileDescriptorResponse: { fileDescriptorProto } }
    : { errorResponse: { errorCode: notFound, errorMessage: `Unknown ${what}.` } };
}

/** Ends without an error when the signal aborts. */
async function* untilAborted<T>(items: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T, void> {
  const iterator = items[Symbol.asyncIterator]();
  let stop = () => {};
  const aborted = new Promise<null>((resolve) => {
    stop = () => resolve(null);
  });
  signal.addEventListener('abort', stop);
  try {
    while (!signal.aborted) {
      const next = await Promise.race([iterator.next(), aborted]);
      if (next === null || next.done) {
        return;
      }
      yield next.value;
    }
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
