import { type Command, Option } from 'commander';
import { type Program, runProgram, serviceNames } from '../process.js';
import { guarded, parseInteger, portBaseOption } from './connected.js';

/** What runs the services themselves. */
export function addMeshCommands(program: Command): void {
  passedOn(program, 'up [settings...]', 'start all services on this machine', (args) => [
    'supervisor',
    args,
  ]).addHelpText(
    'after',
    settingsHelp.replace(
      '  --log-level',
      '  --workers <n>          processes that answer predictions (default: the cores)\n  --jobs-at-once <n>     training jobs that share the cores (default: 1)\n  --log-level',
    ) + importSettingsHelp,
  );
  passedOn(
    program,
    'serve [service] [settings...]',
    `run one service: ${serviceNames.join(', ')}`,
    ([service, ...args]) => {
      const found = serviceNames.find((name) => name === service);
      if (!found) {
        program.error(
          `Expected SERVICE to be one of ${serviceNames.join(', ')} but received ${JSON.stringify(service ?? '')}.`,
        );
      }
      return [found, args];
    },
  ).addHelpText('after', `${settingsHelp}\n\nEach service has more; services/SERVICE/config.ts lists them.`);
  passedOn(program, 'doctor [options...]', 'say how fast the engine is on this machine, and what slows it', (args) => [
    'doctor',
    args,
  ]).addHelpText('after', '\n  --json  print JSON for scripts');

  program
    .command('quickstart')
    .description("run the seed article's MNIST example, end to end")
    .addOption(
      new Option('--data-dir <folder>', 'where everything is kept').env('MILLRACE_DATA_DIR').default('.millrace'),
    )
    .addOption(new Option('--host <address>', 'address to listen on').default('127.0.0.1'))
    .addOption(portBaseOption())
    .addOption(
      new Option('--seed <n>', 'first weights and shuffling')
        .default(1)
        .argParser((text) => parseInteger(text, 0, Number.MAX_SAFE_INTEGER)),
    )
    .option('--keep', 'leave the services running')
    .option('--json', 'no progress bar; the last line is one JSON object')
    .action((options) =>
      guarded(options, async () => {
        const { quickstart } = await import('../quickstart.js');
        await quickstart(options);
      }),
    );
}

const settingsHelp = `
Settings, also from the environment (MILLRACE_DATA_DIR) or a YAML file (dataDir):
  --data-dir <folder>    where everything is kept (default: .millrace)
  --port-base <n>        first port of the mesh's block (default: 8000)
  --host <address>       address to listen on (default: 127.0.0.1)
  --insecure             allow another address than loopback, without encryption and login
  --log-level <level>    trace, debug, info, warn, error or silent (default: info)
  --stop-grace-ms <n>    time that calls in flight have at the end (default: 10000)
  --message-bytes-max <n>
                         largest message or HTTP body (default: 67108864)
  --config <file>        the YAML file`;

const importSettingsHelp = `
  --import-folders <folders>
                         where imports may read, as in PATH (default: all that the service itself may read)
  --import-hosts <hosts> hosts that imports may fetch from beside the public network, with commas
  --download-bytes-max <n>
                         largest file that an import fetches (default: 21474836480)
  --upload-bytes-max <n> largest upload (default: 21474836480)`;

/** A command that hands all its arguments to another program of the mesh. */
function passedOn(
  program: Command,
  nameAndArguments: string,
  description: string,
  programOf: (args: string[]) => [Program, string[]],
): Command {
  return program
    .command(nameAndArguments)
    .description(description)
    .allowUnknownOption()
    .action((...parameters) => runProgram(...programOf((parameters.at(-1) as Command).args)));
}
