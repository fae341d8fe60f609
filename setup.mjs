// Makes a checkout ready to run: npm packages, BLAS, the native addon, generated types, compiled TypeScript. Runs before any
// package is installed, so it uses Node alone. Finished steps are remembered by a digest of what went into them.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(fileURLToPath(import.meta.url));
process.chdir(root);
const stampFile = 'node_modules/.cache/millrace/setup.json';
const addon = 'native/build/Release/millrace.node';
const entry = 'dist/clients/cli/main.js';
const contracts = ['proto/gen/descriptors.binpb', 'proto/gen/contracts.json'];

function fail(message) {
  process.stderr.write(`set-up: ${message}\n`);
  process.exit(1);
}

/** Runs a tool; answers whether it succeeded and all it printed. */
function attempt(command, args) {
  const { status, error, stdout, stderr } = spawnSync(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    maxBuffer: Number.POSITIVE_INFINITY,
  });
  if (error) {
    fail(`${command} cannot be run: ${error.message}`);
  }
  return { ok: status === 0, text: `${stdout}${stderr}` };
}

/** Runs a tool and shows what it printed if it failed. */
function run(command, args) {
  const { ok, text } = attempt(command, args);
  if (!ok) {
    process.stderr.write(text);
  }
  return ok;
}

function listFiles(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => !['node_modules', 'build', 'gen', 'dist'].includes(name) && !name.startsWith('.'))
    .flatMap((item) => {
      const file = path.join(folder, item.name);
      return item.isDirectory() ? listFiles(file) : [file];
    })
    .sort();
}

function digest(files) {
  const hash = createHash('sha256').update(`${process.version} ${process.arch}\n`);
  for (const file of files) {
    hash.update(`${file}\n`).update(readFileSync(file));
  }
  return hash.digest('hex');
}

function readStamps() {
  return existsSync(stampFile) ? JSON.parse(readFileSync(stampFile, 'utf8')) : {};
}

function writeStamps(stamps) {
  mkdirSync(path.dirname(stampFile), { recursive: true });
  // Renamed into place: half a file would stop every later run.
  writeFileSync(`${stampFile}.draft`, JSON.stringify(stamps));
  renameSync(`${stampFile}.draft`, stampFile);
}

/** Does `work` unless all `products` exist and were made from these very files. */
function step(name, files, products, work) {
  const stamp = digest(files);
  if (products.every(existsSync) && readStamps()[name] === stamp) {
    return;
  }
  process.stderr.write(`set-up: ${name} ...\n`);
  const begin = Date.now();
  work();
  writeStamps({ ...readStamps(), [name]: stamp });
  process.stderr.write(`set-up: ${name} done in ${((Date.now() - begin) / 1000).toFixed(1)} s\n`);
}

function has(command) {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;
}

const isDebian = existsSync('/etc/debian_version');

function checkTools() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    fail(`Millrace needs Node 20.19 or later; this is ${process.version}.`);
  }
  const missing = [
    ...(has('cmake') ? [] : ['cmake']),
    ...(has('c++') ? [] : ['g++']),
    ...(has('make') || has('ninja') ? [] : ['make']),
  ];
  if (missing.length > 0) {
    const remedy = isDebian ? `sudo apt-get install -y ${missing.join(' ')}` : 'the package manager of this system';
    fail(`${missing.join(', ')} not found. Install with: ${remedy}`);
  }
}

/** What the addon's own CMake project, the judge of it, says is missing; the names of files and targets have the words in them too. */
const libraries = [
  {
    missing: 'BLAS was not found',
    package: 'libopenblas-dev',
    elsewhere: 'brew install openblas, dnf install openblas-devel, ...',
  },
  {
    missing: 'libjpeg was not found',
    package: 'libjpeg-dev',
    elsewhere: 'brew install jpeg-turbo, dnf install libjpeg-turbo-devel, ...',
  },
];

function installLibrary({ missing, package: name, elsewhere }) {
  const command = `apt-get install -y ${name}`;
  if (!isDebian || process.getuid?.() !== 0) {
    fail(`${missing}. Install it, then run this again: ${isDebian ? `sudo ${command}` : elsewhere}`);
  }
  process.stderr.write(`set-up: ${missing}; ${command}\n`);
  const packages = ['install', '-y', '-q', name];
  if (!run('apt-get', packages) && !(run('apt-get', ['update', '-q']) && run('apt-get', packages))) {
    fail(`${missing} and could not be installed. Type: ${command}`);
  }
}

/** Builds it once more for each library that has to be installed. */
function buildNative() {
  const left = new Set(libraries);
  for (;;) {
    const { ok, text } = attempt('npm', ['run', '-s', 'build:native']);
    if (ok) {
      return;
    }
    const library = [...left].find(({ missing }) => text.includes(missing));
    if (!library) {
      process.stderr.write(text);
      fail('the native addon could not be built; the reason stands above.');
    }
    left.delete(library);
    installLibrary(library);
    rmSync('native/build', { recursive: true, force: true });
  }
}

function buildTypeScript() {
  rmSync('proto/gen', { recursive: true, force: true });
  rmSync('dist.draft', { recursive: true, force: true });
  if (
    !run('npm', ['run', '-s', 'build:types']) ||
    !run('npm', ['run', '-s', 'build:ts', '--', '--dir', 'dist.draft'])
  ) {
    fail('the TypeScript sources could not be built; the reason stands above.');
  }
  chmodSync(entry.replace('dist/', 'dist.draft/'), 0o755);
  rmSync('dist', { recursive: true, force: true });
  renameSync('dist.draft', 'dist');
  // npm links the commands of other packages here; ours makes `npx millrace` work in the checkout.
  rmSync('node_modules/.bin/millrace', { force: true });
  symlinkSync(path.join('../..', entry), 'node_modules/.bin/millrace');
}

checkTools();
step('npm packages', ['package-lock.json'], ['node_modules/.package-lock.json'], () => {
  if (!run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'])) {
    fail('npm packages could not be installed; the reason stands above.');
  }
});
const nativeSources = listFiles('native').filter((file) => !file.endsWith('.ts') && !file.endsWith('.md'));
step('native addon', [...nativeSources, 'package-lock.json'], [addon], buildNative);
const sources = ['proto', 'native', 'services', 'clients', 'test/bench', 'test/support']
  .flatMap(listFiles)
  .filter((file) => /\.(ts|mjs|proto)$/.test(file));
const settings = ['package-lock.json', 'package.json', 'rolldown.config.mjs'];
step('TypeScript', [...sources, ...settings], [entry, ...contracts], buildTypeScript);
