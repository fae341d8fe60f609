/** The one door to the contracts for TypeScript: definitions, typed clients, and the errors that calls end in. */
export { type CallOptions, createClient, type RpcClient } from './client.js';
export { contractType } from './codecs.js';
export { Contract, contracts, describeMessage, messageType } from './contracts.js';
export { DescribedFiles } from './described-files.js';
export type { FlightMessage } from './flight-data-codec.js';
export type { InferResponse, StreamResponse } from './infer-response-codec.js';
export {
  decodeOnnxModel,
  type OnnxAttribute,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValue,
  onnxModelType,
} from './onnx-model.js';
export { perObject } from './per-object.js';
export {
  encodeDetails,
  type FieldViolation,
  RpcError,
  type StatusDetails,
  type StatusMessage,
  type StatusName,
  toStatusMessage,
} from './rpc-error.js';
export { fromTimestamp, type Timestamp, toTimestamp } from './timestamp.js';
