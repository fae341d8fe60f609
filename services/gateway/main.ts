import { exitWith, runService } from '../platform/main.js';
import { readConfig } from './config.js';
import { startGateway } from './service.js';

try {
  const config = readConfig(process.argv.slice(2), process.env);
  await runService('gateway', config.logLevel, (log) => startGateway(config, log));
} catch (error) {
  exitWith(error);
}
