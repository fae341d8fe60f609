import type { InferenceConfig } from './config.js';
import type { ServerSettings } from './worker-commands.js';

const levels = ['error', 'warn', 'info', 'debug', 'trace'];

/** The settings that a server starts with: those of its configuration. */
export function startingSettings({ logLevel }: Pick<InferenceConfig, 'logLevel'>): ServerSettings {
  const depth = levels.indexOf(logLevel);
  return {
    log: {
      logError: depth >= 0,
      logWarning: depth >= 1,
      logInfo: depth >= 2,
      verboseLevel: Math.max(0, depth - 2),
    },
    requestLog: { server: { isOn: false, rate: 1_000, count: null }, models: new Map() },
  };
}
