import { describe, expectTypeOf, it } from 'vitest';
import type { FlightData, FlightData__Output } from '../../../proto/gen/arrow/flight/protocol/FlightData.js';
import type { PutResult, PutResult__Output } from '../../../proto/gen/arrow/flight/protocol/PutResult.js';
import type { Blob__Output } from '../../../proto/gen/millrace/v1/Blob.js';
import type { Model__Output } from '../../../proto/gen/millrace/v1/Model.js';
import type { UploadBlobRequest, UploadBlobRequest__Output } from '../../../proto/gen/millrace/v1/UploadBlobRequest.js';
import type {
  WatchModelsResponse,
  WatchModelsResponse__Output,
} from '../../../proto/gen/millrace/v1/WatchModelsResponse.js';
import type { CallOptions, contracts, RpcClient } from '../../../proto/index.js';
import type { CallContext, Implementation } from '../../../services/platform/handler.js';

type Registry = RpcClient<typeof contracts.registry.clientType>;
type Flight = RpcClient<typeof contracts.flight.clientType>;
type RegistryMethods = Implementation<typeof contracts.registry.handlersType>;
type FlightMethods = Implementation<typeof contracts.flight.handlersType>;
type Source<T> = AsyncIterable<T> | Iterable<T>;

// Held by `tsc`: vitest takes the types off before it runs them.
describe('types of a client', () => {
  it('follow the kind of streaming', () => {
    expectTypeOf<Registry['getModel']>().returns.toEqualTypeOf<Promise<Model__Output>>();
    expectTypeOf<Registry['getModel']>().parameter(1).toEqualTypeOf<CallOptions | undefined>();
    expectTypeOf<Registry['watchModels']>().returns.toEqualTypeOf<AsyncGenerator<WatchModelsResponse__Output, void>>();
    expectTypeOf<Registry['uploadBlob']>().parameter(0).toEqualTypeOf<Source<UploadBlobRequest>>();
    expectTypeOf<Registry['uploadBlob']>().returns.toEqualTypeOf<Promise<Blob__Output>>();
    expectTypeOf<Flight['doPut']>().parameter(0).toEqualTypeOf<Source<FlightData>>();
    expectTypeOf<Flight['doPut']>().returns.toEqualTypeOf<AsyncGenerator<PutResult__Output, void>>();
  });

  it('have no method under its name in the .proto file', () => {
    expectTypeOf<Registry>().not.toHaveProperty('GetModel');
    expectTypeOf<Registry>().not.toHaveProperty('makeUnaryRequest');
  });
});

describe('types of an implementation', () => {
  it('follow the kind of streaming', () => {
    expectTypeOf<RegistryMethods['GetModel']>().parameters.toEqualTypeOf<[{ name: string }, CallContext]>();
    expectTypeOf<RegistryMethods['UploadBlob']>()
      .parameter(0)
      .toEqualTypeOf<AsyncIterable<UploadBlobRequest__Output>>();
    expectTypeOf<RegistryMethods['WatchModels']>().returns.toEqualTypeOf<AsyncIterable<WatchModelsResponse>>();
    expectTypeOf<FlightMethods['DoPut']>().parameter(0).toEqualTypeOf<AsyncIterable<FlightData__Output>>();
    expectTypeOf<FlightMethods['DoPut']>().returns.toEqualTypeOf<AsyncIterable<PutResult>>();
  });

  it('have no method that the contract has not', () => {
    expectTypeOf<keyof RegistryMethods>().not.toExtend<number>();
    expectTypeOf<RegistryMethods>().not.toHaveProperty('getModel');
  });
});
