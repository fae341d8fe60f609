import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Millrace } from '../../sdk/index.js';
import type { CommonOptions } from '../output.js';

export const portBaseOption = () =>
  new Option('--port-base <n>', "first port of the mesh's block")
    .env('MILLRACE_PORT_BASE')
    .default(8000)
    .argParser((text) => parseInteger(text, 1, 65_530));

/** A command that talks to a running mesh. */
export function connected(parent: Command, nameAndArguments: string, description: string): Command {
  return parent
    .command(nameAndArguments)
    .description(description)
    .addOption(new Option('--host <address>', 'where the mesh is').default('127.0.0.1'))
    .addOption(portBaseOption())
    .option('--json', 'print JSON for scripts');
}

/** Runs a command with a client. Commands are loaded when called: `millrace up` need not wait for gRPC. */
export async function withMillrace<Module>(
  load: () => Promise<Module>,
  options: CommonOptions,
  work: (module: Module, millrace: Millrace) => Promise<void>,
): Promise<void> {
  const [module, { Millrace }] = await Promise.all([load(), import('../../sdk/index.js')]);
  const millrace = new Millrace(options);
  await guarded(options, () => work(module, millrace));
  millrace.close();
}

/** Turns what goes wrong into one clear message and exit status 1. */
export async function guarded(options: CommonOptions, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const { explain } = await import('../output.js');
    process.stderr.write(`millrace: ${explain(error, options)}\n`);
    process.exitCode = 1;
  }
}

export function parseInteger(text: string, minimum: number, maximum: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < minimum || value > maximum) {
    throw new InvalidArgumentError(`Expected an integer from ${minimum} to ${maximum}.`);
  }
  return value;
}

export function collect(text: string, before: string[] = []): string[] {
  return [...before, text];
}
