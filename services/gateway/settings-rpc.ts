import { z } from 'zod';
import type { LogSettingsResponse__Output as LogSettings } from '../../proto/gen/inference/LogSettingsResponse.js';
import type { TraceSettingResponse__Output as TraceSettings } from '../../proto/gen/inference/TraceSettingResponse.js';
import { bounded } from './bounded.js';

const settingsMax = 100;
const text = z.union([z.string(), z.int()]);

/** Null: back to what the server, or the setting itself, had. */
export const traceRequest = bounded(
  z.record(z.string(), z.union([z.null(), text, bounded(z.array(text), settingsMax)])),
  settingsMax,
);
export const traceAnswer = z.record(z.string(), z.union([z.string(), z.array(z.string())]));

/** Null: left as it is. */
export const logRequest = bounded(
  z.record(z.string(), z.union([z.null(), z.boolean(), z.int().nonnegative(), z.string()])),
  settingsMax,
);
export const logAnswer = z.record(z.string(), z.union([z.boolean(), z.int(), z.string()]));

export function toTraceSettings(body: z.output<typeof traceRequest>) {
  return Object.fromEntries(
    Object.entries(body).map(([name, value]) => [
      name,
      { value: value === null ? [] : (Array.isArray(value) ? value : [value]).map(String) },
    ]),
  );
}

/** The one setting that is a list, however many entries it has. */
const listSetting = 'trace_level';

export function fromTraceSettings({ settings }: TraceSettings) {
  return Object.fromEntries(
    Object.entries(settings).map(([name, { value }]) => [
      name,
      name === listSetting || value.length > 1 ? value : (value[0] ?? ''),
    ]),
  );
}

export function toLogSettings(body: z.output<typeof logRequest>) {
  return Object.fromEntries(
    Object.entries(body)
      .filter(([, value]) => value !== null)
      .map(([name, value]) => [name, toLogValue(value)]),
  );
}

function toLogValue(value: unknown) {
  switch (typeof value) {
    case 'boolean':
      return { boolParam: value };
    case 'number':
      return { uint32Param: value };
    default:
      return { stringParam: String(value) };
  }
}

export function fromLogSettings({ settings }: LogSettings) {
  return Object.fromEntries(
    Object.entries(settings).map(([name, { boolParam, uint32Param, stringParam }]) => [
      name,
      boolParam ?? uint32Param ?? stringParam ?? '',
    ]),
  );
}
