#!/usr/bin/env node
import { createRequire } from 'node:module';
import { Command } from 'commander';
import { addDataCommands } from './commands/data.js';
import { addMeshCommands } from './commands/mesh.js';
import { addModelCommands } from './commands/models.js';
import { addPredictionCommands } from './commands/predictions.js';
import { addTrainingCommands } from './commands/training.js';

const { version } = createRequire(import.meta.url)('#package') as { version: string };
const program: Command = new Command('millrace');
program
  .description('Prepare data, train dense networks, version them and serve them over gRPC.')
  .version(version)
  .showHelpAfterError('(millrace --help lists the commands)');

addMeshCommands(program);
addDataCommands(program);
addTrainingCommands(program);
addModelCommands(program);
addPredictionCommands(program);

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') {
    throw error;
  }
  // Whoever read has enough, as `head` does.
  process.exit(0);
});
await program.parseAsync();
