import { optionsOf } from './calls.js';
import type { InferenceClient } from './oip-routes.js';
import { type Call, checkBody, type Route } from './routes.js';
import {
  fromLogSettings,
  fromTraceSettings,
  logAnswer,
  logRequest,
  toLogSettings,
  toTraceSettings,
  traceAnswer,
  traceRequest,
} from './settings-rpc.js';

/** Triton's extensions of tracing and logging: what is not named in a request stays as it is. */
export function settingsRoutes(inference: InferenceClient): Route[] {
  const logging = async (call: Call, settings: ReturnType<typeof toLogSettings>) =>
    fromLogSettings(await inference.logSettings({ settings }, optionsOf(call)));
  return [
    ...traceRoutes(inference, '/v2/trace/setting', 'trace', 'Trace settings of the server.'),
    ...traceRoutes(inference, '/v2/models/{model}/trace/setting', 'modelTrace', 'Trace settings of a model.'),
    {
      method: 'GET',
      path: '/v2/logging',
      operation: 'logSettings',
      summary: 'Log settings.',
      takes: null,
      gives: logAnswer,
      handle: (call) => logging(call, {}),
    },
    {
      method: 'POST',
      path: '/v2/logging',
      operation: 'updateLogSettings',
      summary: 'Changes the log settings that are named, and gives all.',
      takes: logRequest,
      gives: logAnswer,
      handle: (call) => logging(call, toLogSettings(checkBody(logRequest, call.body))),
    },
  ];
}

function traceRoutes(inference: InferenceClient, path: string, name: string, summary: string): Route[] {
  const tracing = async (call: Call, settings: ReturnType<typeof toTraceSettings>) => {
    const request = { settings, modelName: call.params.model ?? '' };
    return fromTraceSettings(await inference.traceSetting(request, optionsOf(call)));
  };
  return [
    {
      method: 'GET',
      path,
      operation: `${name}Settings`,
      summary,
      takes: null,
      gives: traceAnswer,
      handle: (call) => tracing(call, {}),
    },
    {
      method: 'POST',
      path,
      operation: `${name}SettingsUpdate`,
      summary: `${summary} Changes those that are named, and gives all.`,
      takes: traceRequest,
      gives: traceAnswer,
      handle: (call) => tracing(call, toTraceSettings(checkBody(traceRequest, call.body))),
    },
  ];
}
