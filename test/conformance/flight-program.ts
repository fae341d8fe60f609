import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { root, run } from '../support/mesh.js';
import { cache, install, mustRun, type Tool } from './installed-tools.js';

type Language = 'go' | 'java';

/** Half of the processor time, for programs that end before the second compiler pays off. */
export const shortLivedJava = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];

const folderOf = (language: Language) => path.join(root, 'test/conformance', `flight-${language}`);
const builtFolder = path.join(cache, 'flight');
const goProgram = path.join(builtFolder, 'flight-go');
const javaClasspath = path.join(builtFolder, 'flight-java');

/** A program of this folder that uses a language's own Flight client, built with the versions that it names. */
export function flightProgram(language: Language): Promise<Tool> {
  const product = language === 'go' ? goProgram : javaClasspath;
  const build = () =>
    language === 'go'
      ? mustRun('go', ['build', '-o', goProgram, '.'], process.env, folderOf('go'))
      : mustRun(
          'mvn',
          [...javaOptions, 'package'],
          { MAVEN_OPTS: shortLivedJava.join(' '), ...process.env },
          folderOf('java'),
        );
  return install(product, `build test/conformance/flight-${language}`, build, () =>
    isNewer(product, folderOf(language)),
  );
}

/** Puts classes and libraries beside one another into `target`, outside of the checkout. */
const javaOptions = ['-q', '-B', `-DbuildDirectory=${javaClasspath}`];

/** Whether a product was made after the last change of its sources. */
function isNewer(product: string, folder: string): boolean {
  const made = statSync(product, { throwIfNoEntry: false });
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return (
    made !== undefined &&
    files.every(({ parentPath, name }) => statSync(path.join(parentPath, name)).mtimeMs < made.mtimeMs)
  );
}

/** What each check of a program found, or what it raised. */
export async function runFlightProgram(
  language: Language,
  args: string[],
): Promise<Record<string, { value: unknown; raised?: string }>> {
  const java = [
    ...shortLivedJava,
    '--add-opens=java.base/java.nio=ALL-UNNAMED',
    '-cp',
    `${javaClasspath}/classes:${javaClasspath}/libraries/*`,
  ];
  const { status, stdout, stderr } =
    language === 'go' ? await run(goProgram, args) : await run('java', [...java, 'millrace.FlightChecks', ...args]);
  if (status !== 0) {
    throw new Error(`flight-${language} ended with status ${status}: ${stderr}`);
  }
  return JSON.parse(stdout);
}
