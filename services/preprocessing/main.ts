import { exitWith, runService } from '../platform/main.js';
import { readConfig } from './config.js';
import { startPreprocessing } from './service.js';

try {
  const config = readConfig(process.argv.slice(2), process.env);
  await runService('preprocessing', config.logLevel, (log) => startPreprocessing(config, log));
} catch (error) {
  exitWith(error);
}
