import type * as grpc from '@grpc/grpc-js';
import {
  type Context,
  context,
  ProxyTracerProvider,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  trace,
} from '@opentelemetry/api';
import type { StatusName } from '../../proto/index.js';

/** OpenTelemetry's API: it records nothing until whoever runs the service registers an SDK. */
const tracer = trace.getTracer('millrace');

/** Whether an SDK is there: it has to be before a service starts, as with `NODE_OPTIONS='--import ./tracing.mjs'`. */
export function isTracing(): boolean {
  const provider = trace.getTracerProvider();
  return !(provider instanceof ProxyTracerProvider) || provider.getDelegateTracer('millrace') !== undefined;
}

const headers: TextMapGetter<grpc.Metadata> = {
  get: (metadata, key) => metadata.get(key).map(String),
  keys: (metadata) => Object.keys(metadata.getMap()),
};

/** The span of a call: a child of the caller's, whose context came in the metadata. Null: nobody records it. */
export class CallSpan {
  private constructor(
    private readonly span: Span,
    private readonly context: Context,
  ) {}

  /** @param path `/package.Service/Method` */
  static start(path: string, metadata: grpc.Metadata): CallSpan | null {
    const parent = propagation.extract(context.active(), metadata, headers);
    const [, service, method] = path.split('/');
    const attributes = { 'rpc.system': 'grpc', 'rpc.service': service!, 'rpc.method': method! };
    const span = tracer.startSpan(path.slice(1), { kind: SpanKind.SERVER, attributes }, parent);
    return span.isRecording() ? new CallSpan(span, trace.setSpan(parent, span)) : null;
  }

  /** Spans that `work` makes are children of this one. */
  around<T>(work: () => T): T {
    return context.with(this.context, work);
  }

  set(attributes: Record<string, string | number>): void {
    this.span.setAttributes(attributes);
  }

  /** A part of the call that has ended already; times as `performance.now()`. */
  addPart(name: string, begin: number, end: number, attributes: Record<string, number>): void {
    const toTime = (ms: number) => performance.timeOrigin + ms;
    tracer.startSpan(name, { startTime: toTime(begin), attributes }, this.context).end(toTime(end));
  }

  end(code: StatusName): void {
    this.span.setAttribute('rpc.response.status_code', code);
    if (code !== 'OK') {
      this.span.setStatus({ code: SpanStatusCode.ERROR, message: code });
    }
    this.span.end();
  }
}
