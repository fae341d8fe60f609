import { exitWith, runService } from '../platform/main.js';
import { readConfig } from './config.js';
import { startRegistry } from './service.js';

try {
  const config = readConfig(process.argv.slice(2), process.env);
  await runService('registry', config.logLevel, (log) => startRegistry(config, log));
} catch (error) {
  exitWith(error);
}
