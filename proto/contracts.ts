import type * as grpc from '@grpc/grpc-js';
import type protobuf from 'protobufjs';
import { type MessageCodec, messageCodec, messageDescriptor, serviceDefinition } from './codecs.js';
import { type FlightMessage, writeFlightData } from './flight-data-codec.js';
import type { FlightData__Output } from './gen/arrow/flight/protocol/FlightData.js';
import type { FlightServiceClient, FlightServiceHandlers } from './gen/arrow/flight/protocol/FlightService.js';
import type { Ticket__Output } from './gen/arrow/flight/protocol/Ticket.js';
import type { HealthClient, HealthHandlers } from './gen/grpc/health/v1/Health.js';
import type {
  ServerReflectionClient as ReflectionClient,
  ServerReflectionHandlers as ReflectionHandlers,
} from './gen/grpc/reflection/v1/ServerReflection.js';
import type {
  ServerReflectionClient as ReflectionAlphaClient,
  ServerReflectionHandlers as ReflectionAlphaHandlers,
} from './gen/grpc/reflection/v1alpha/ServerReflection.js';
import type { GRPCInferenceServiceClient, GRPCInferenceServiceHandlers } from './gen/inference/GRPCInferenceService.js';
import type { MetricsServiceClient, MetricsServiceHandlers } from './gen/millrace/v1/MetricsService.js';
import type { PredictionServiceClient, PredictionServiceHandlers } from './gen/millrace/v1/PredictionService.js';
import type {
  PreprocessingServiceClient,
  PreprocessingServiceHandlers,
} from './gen/millrace/v1/PreprocessingService.js';
import type { RegistryServiceClient, RegistryServiceHandlers } from './gen/millrace/v1/RegistryService.js';
import type { TrainingServiceClient, TrainingServiceHandlers } from './gen/millrace/v1/TrainingService.js';
import type { TuningServiceClient, TuningServiceHandlers } from './gen/millrace/v1/TuningService.js';
import { readInferRequest } from './infer-request-codec.js';
import { writeInferResponse, writeStreamResponse } from './infer-response-codec.js';
import { writeJobList } from './job-list-codec.js';
import { perObject } from './per-object.js';

type Method = grpc.MethodDefinition<unknown, unknown>;
type ServerCodec = Pick<Method, 'responseSerialize'> & Partial<Pick<Method, 'requestDeserialize'>>;

/** One gRPC service, with the types of its client and of its handlers. Loaded when first used. */
export class Contract<Client, Handlers> {
  /** Never set: they carry the types only. */
  declare readonly clientType: Client;
  declare readonly handlersType: Handlers;
  #definition: grpc.ServiceDefinition | null = null;

  constructor(
    /** Full name, for example `millrace.v1.TrainingService`. */
    readonly name: string,
    /** Path of the .proto file under `proto/`. */
    readonly file: string,
    /** By method: how a server reads and writes its messages, where reflection would be too slow. */
    private readonly codecs: Record<string, ServerCodec> = {},
  ) {}

  get definition(): grpc.ServiceDefinition {
    this.#definition ??= serviceDefinition(this.name);
    return this.#definition;
  }

  /** As `definition`, for a server. */
  get serverDefinition(): grpc.ServiceDefinition {
    const methods = Object.entries(this.definition).map(([name, method]) => [
      name,
      { ...method, ...this.codecs[name] },
    ]);
    return Object.fromEntries(methods);
  }
}

type Named<T> = { [K in keyof T as string extends K ? never : K]: T[K] };

/** As generated, but for what `writeFlightData` takes. */
type FlightHandlers = Omit<Named<FlightServiceHandlers>, 'DoGet' | 'DoExchange'> & {
  DoGet: grpc.handleServerStreamingCall<Ticket__Output, FlightMessage>;
  DoExchange: grpc.handleBidiStreamingCall<FlightData__Output, FlightMessage>;
};

/** Writes each message once, to however many callers it goes. */
function writtenOnce(name: MessageName): ServerCodec['responseSerialize'] {
  return perObject((message: object) => messageType(name).serialize(message)) as ServerCodec['responseSerialize'];
}

export const contracts = {
  preprocessing: new Contract<PreprocessingServiceClient, PreprocessingServiceHandlers>(
    'millrace.v1.PreprocessingService',
    'millrace/v1/preprocessing_service.proto',
  ),
  training: new Contract<TrainingServiceClient, TrainingServiceHandlers>(
    'millrace.v1.TrainingService',
    'millrace/v1/training_service.proto',
    {
      // Watchers are sent the same objects.
      WatchTrainingJob: { responseSerialize: writtenOnce('millrace.v1.TrainingEvent') },
      WatchTrainingJobs: { responseSerialize: writtenOnce('millrace.v1.TrainingJobEvent') },
      ListTrainingJobs: { responseSerialize: writeJobList as ServerCodec['responseSerialize'] },
    },
  ),
  tuning: new Contract<TuningServiceClient, TuningServiceHandlers>(
    'millrace.v1.TuningService',
    'millrace/v1/tuning_service.proto',
  ),
  registry: new Contract<RegistryServiceClient, RegistryServiceHandlers>(
    'millrace.v1.RegistryService',
    'millrace/v1/registry_service.proto',
  ),
  prediction: new Contract<PredictionServiceClient, PredictionServiceHandlers>(
    'millrace.v1.PredictionService',
    'millrace/v1/prediction_service.proto',
  ),
  metrics: new Contract<MetricsServiceClient, MetricsServiceHandlers>(
    'millrace.v1.MetricsService',
    'millrace/v1/metrics_service.proto',
  ),
  inference: new Contract<GRPCInferenceServiceClient, GRPCInferenceServiceHandlers>(
    'inference.GRPCInferenceService',
    'inference/grpc_service.proto',
    {
      ModelInfer: {
        requestDeserialize: readInferRequest,
        responseSerialize: writeInferResponse as unknown as ServerCodec['responseSerialize'],
      },
      ModelStreamInfer: {
        requestDeserialize: readInferRequest,
        responseSerialize: writeStreamResponse as unknown as ServerCodec['responseSerialize'],
      },
    },
  ),
  flight: new Contract<FlightServiceClient, FlightHandlers>(
    'arrow.flight.protocol.FlightService',
    'arrow/flight.proto',
    {
      DoGet: { responseSerialize: writeFlightData as unknown as ServerCodec['responseSerialize'] },
      DoExchange: { responseSerialize: writeFlightData as unknown as ServerCodec['responseSerialize'] },
    },
  ),
  health: new Contract<HealthClient, HealthHandlers>('grpc.health.v1.Health', 'grpc/health.proto'),
  reflection: new Contract<ReflectionClient, ReflectionHandlers>(
    'grpc.reflection.v1.ServerReflection',
    'grpc/reflection/v1/reflection.proto',
  ),
  reflectionAlpha: new Contract<ReflectionAlphaClient, ReflectionAlphaHandlers>(
    'grpc.reflection.v1alpha.ServerReflection',
    'grpc/reflection/v1alpha/reflection.proto',
  ),
};

/** What is written or read by itself. */
type MessageName =
  | 'millrace.v1.TrainingEvent'
  | 'millrace.v1.TrainingJobEvent'
  | 'google.rpc.Status'
  | 'google.rpc.BadRequest'
  | 'google.rpc.ErrorInfo'
  | 'arrow.flight.protocol.CancelFlightInfoRequest'
  | 'arrow.flight.protocol.CancelFlightInfoResult'
  | 'arrow.flight.protocol.RenewFlightEndpointRequest'
  | 'arrow.flight.protocol.FlightEndpoint';
const messages = new Map<string, MessageCodec>();

/** Serialises and parses one message by itself, for example `google.rpc.Status`, which travels in a trailer. */
export function messageType(name: MessageName): MessageCodec {
  let type = messages.get(name);
  if (!type) {
    type = messageCodec(name);
    messages.set(name, type);
  }
  return type;
}

const describedFiles = {
  'millrace.v1.FitPipelineRequest': 'millrace/v1/preprocessing_service.proto',
  'millrace.v1.PipelineSpec': 'millrace/v1/pipeline.proto',
  'millrace.v1.Step': 'millrace/v1/pipeline.proto',
  'millrace.v1.TrainingSpec': 'millrace/v1/training_spec.proto',
  'millrace.v1.TuneSpec': 'millrace/v1/tuning_spec.proto',
  'inference.ModelConfig': 'inference/model_config.proto',
  'inference.ModelStatistics': 'inference/grpc_service.proto',
};

const described = new Map<string, protobuf.Type>();

/** The descriptor of a message, with its fields' names as they stand in the .proto file; not to be changed. */
export function describeMessage(name: keyof typeof describedFiles): protobuf.Type {
  let type = described.get(name);
  if (!type) {
    type = messageDescriptor(describedFiles[name], name);
    described.set(name, type);
  }
  return type;
}
