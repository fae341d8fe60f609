import { exitWith, runService } from '../platform/main.js';
import { readConfig } from './config.js';
import { startInference } from './service.js';

try {
  const config = readConfig(process.argv.slice(2), process.env);
  await runService('inference', config.logLevel, (log) => startInference(config, log));
} catch (error) {
  exitWith(error);
}
