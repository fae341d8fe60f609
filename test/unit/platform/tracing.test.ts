import * as grpc from '@grpc/grpc-js';
import { propagation, trace } from '@opentelemetry/api';
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import { afterAll, describe, expect, it } from 'vitest';
import { CallSpan, isTracing } from '../../../services/platform/tracing.js';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const parentId = 'b7ad6b7169203331';

afterAll(() => {
  trace.disable();
  propagation.disable();
});

describe('a call span', () => {
  it('is not there without an SDK', () => {
    expect(isTracing()).toBe(false);
    expect(CallSpan.start('/a.B/C', new grpc.Metadata())).toBeNull();
  });

  it('is a child of the caller, with the parts of its work as children', () => {
    const exporter = new InMemorySpanExporter();
    new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register();
    expect(isTracing()).toBe(true);
    const metadata = new grpc.Metadata();
    metadata.set('traceparent', `00-${traceId}-${parentId}-01`);

    const span = CallSpan.start('/inference.GRPCInferenceService/ModelInfer', metadata)!;
    span.set({ 'millrace.rows': 3 });
    span.addPart('compute', 10, 12, { 'millrace.batch_rows': 7 });
    span.end('NOT_FOUND');

    const [part, call] = exporter.getFinishedSpans();
    expect(call).toMatchObject({
      name: 'inference.GRPCInferenceService/ModelInfer',
      parentSpanContext: { traceId, spanId: parentId },
      attributes: { 'rpc.method': 'ModelInfer', 'millrace.rows': 3, 'rpc.response.status_code': 'NOT_FOUND' },
      status: { code: 2 },
    });
    expect(part).toMatchObject({
      name: 'compute',
      parentSpanContext: { traceId, spanId: call!.spanContext().spanId },
      attributes: { 'millrace.batch_rows': 7 },
      duration: [0, 2_000_000],
    });
  });
});
