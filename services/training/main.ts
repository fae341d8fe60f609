import { exitWith, runService } from '../platform/main.js';
import { readConfig } from './config.js';
import { startTraining } from './service.js';

try {
  const config = readConfig(process.argv.slice(2), process.env);
  await runService('training', config.logLevel, (log) => startTraining(config, log));
} catch (error) {
  exitWith(error);
}
