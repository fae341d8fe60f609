import { describe, expect, it } from 'vitest';
import { root } from './support/mesh.js';
import { importsOf, includesOf, type SourceFile, sourceFiles } from './support/source-files.js';

/** What a file does that it may not; empty when it is tidy. */
type Rule = (file: SourceFile) => string[];

const isScript = ({ path }: SourceFile) => /\.(ts|mjs|js)$/.test(path);
const isCpp = ({ path }: SourceFile) => /\.(h|cpp|inc)$/.test(path);
const isOurs = (module: string) => /^(proto|native|services|clients|test)\//.test(module);

/** Modules of ours that a file of this folder may import. The first folder that fits a file decides. */
const importTable: [folder: RegExp, allowed: RegExp][] = [
  [/^proto\//, /^proto\//],
  [/^native\//, /^native\//],
  [/^services\/platform\//, /^(services\/platform|proto)\//],
  // Images are decoded and resized in the engine.
  [/^services\/pipeline\//, /^(services\/(pipeline|platform)\/|native\/index\.js$)/],
  [
    /^services\/(training|inference|preprocessing)\//,
    /^(services\/($1|platform|pipeline)\/|proto\/|native\/index\.js$)/,
  ],
  [/^services\/([a-z-]+)\//, /^(services\/($1|platform|pipeline)\/|proto\/)/],
  [/^clients\//, /^(clients|proto)\//],
  [/^test\//, /./],
];

const importsFollowTheTable: Rule = (file) => {
  const entry = isScript(file) && importTable.find(([folder]) => folder.test(file.path));
  if (!entry) {
    return [];
  }
  const [folder, { source }] = entry;
  const allowed = new RegExp(source.replace('$1', folder.exec(file.path)?.[1] ?? ''));
  return importsOf(file)
    .filter((module) => isOurs(module) && !allowed.test(module))
    .map((module) => `imports ${module}`);
};

/** Where generated types may be named: elsewhere a change of a contract must not reach. */
const speaksProtobuf = /^(proto|clients|test|services\/platform)\/|^services\/[a-z]+\/([a-z-]+-)?rpc(-[a-z-]+)?\.ts$/;

const generatedTypesStayAtTheEdge: Rule = (file) => {
  if (!isScript(file)) {
    return [];
  }
  return importsOf(file)
    .filter((module) => module.startsWith('proto/'))
    .filter((module) => (module.startsWith('proto/gen/') ? !speaksProtobuf.test(file.path) : !isDoor(file, module)))
    .map((module) => `imports ${module}`);
};

/** `proto/index.ts` is the one door to the contracts; tests may look behind it at types. */
const isDoor = (file: SourceFile, module: string) => file.path.startsWith('proto/') || module === 'proto/index.js';

const grpcStaysAtTheEdge: Rule = (file) => {
  const domain = /^services\/(registry|training|inference|preprocessing|pipeline|supervisor)\//.test(file.path);
  return domain && !speaksProtobuf.test(file.path)
    ? importsOf(file)
        .filter((module) => module.startsWith('@grpc/'))
        .map((module) => `imports ${module}`)
    : [];
};

const nodeApiStaysInTheBinding: Rule = (file) => {
  if (!isCpp(file)) {
    return [];
  }
  const forbidden = file.path.startsWith('native/binding/') ? /^$/ : /(napi|node_api|node|uv|v8)\.h[>"]$|binding\//;
  return includesOf(file)
    .filter((name) => forbidden.test(name))
    .map((name) => `includes ${name}`);
};

const namesSayWhatIsInside: Rule = ({ path }) =>
  path
    .split('/')
    .filter((name) => /^(utils?|commons?|helpers?|shared|misc)(\.|$)|(^|[-_])(utils?|helpers?|misc)(\.|$)/.test(name))
    .map((name) => `is called ${name}`);

const fileNamesFollowTheLanguage: Rule = (file) => {
  const name = file.path.split('/').at(-1)!;
  const form = isScript(file)
    ? /^[a-z0-9]+(-[a-z0-9]+)*(\.test|\.config)?\.(ts|mjs|js)$/
    : isCpp(file) || /\.(proto|py)$/.test(name)
      ? /^[a-z0-9]+(_[a-z0-9]+)*\.[a-z]+$/
      : /./;
  return form.test(name) ? [] : [`is called ${name}`];
};

const servicesWriteToTheLog: Rule = ({ path, text }) =>
  /^services\/.*\.ts$/.test(path) && /\bconsole\.\w+\(/.test(text) ? ['writes to the console'] : [];

const testsRun: Rule = ({ path, text }) => {
  const put = /\b(?:it|test|describe|suite|bench)(?:\.\w+)*\.(?:only|skip|todo|fails)\b/;
  return path.endsWith('.test.ts') && put.test(text) ? ['has a test that is skipped, or alone'] : [];
};

const rules: Record<string, Rule> = {
  'imports follow the table': importsFollowTheTable,
  'generated types stay at the edge': generatedTypesStayAtTheEdge,
  'gRPC stays at the edge': grpcStaysAtTheEdge,
  'Node-API stays in the binding': nodeApiStaysInTheBinding,
  'names say what is inside': namesSayWhatIsInside,
  'file names follow the language': fileNamesFollowTheLanguage,
  'services write to the log': servicesWriteToTheLog,
  'tests run': testsRun,
};

describe('the tree is tidy', () => {
  const files = ['proto', 'native', 'services', 'clients', 'test'].flatMap((folder) => sourceFiles(root, folder));

  it('and has files to look at', () => {
    expect(files.filter(isScript).length).toBeGreaterThan(100);
    expect(files.filter(isCpp).length).toBeGreaterThan(20);
  });

  it.each(Object.entries(rules))('%s', (_, rule) => {
    expect(files.flatMap((file) => rule(file).map((what) => `${file.path} ${what}`))).toEqual([]);
  });
});

describe('a rule refuses', () => {
  it.each<[keyof typeof rules & string, string, string]>([
    ['imports follow the table', 'services/registry/rpc.ts', "import { x } from '../training/job.js';"],
    ['imports follow the table', 'services/registry/rpc.ts', "import {\n  type x,\n} from '../../native/index.js';"],
    ['imports follow the table', 'services/training/job.ts', "export * from '../../native/binding/x.js';"],
    ['imports follow the table', 'services/training/job.ts', "const x = await import('../registry/model.js');"],
    ['imports follow the table', 'services/platform/log.ts', "import type { x } from '../registry/model.js';"],
    ['imports follow the table', 'services/pipeline/index.ts', "import '../../proto/index.js';"],
    ['imports follow the table', 'services/gateway/main.ts', "import '../../native/index.js';"],
    ['imports follow the table', 'clients/cli/main.ts', "import '../../services/platform/config.js';"],
    ['imports follow the table', 'proto/client.ts', "import '../services/platform/errors.js';"],
    ['generated types stay at the edge', 'services/a/model.ts', "import type { M } from '../../proto/gen/M.js';"],
    ['generated types stay at the edge', 'services/a/rpc.ts', "import { x } from '../../proto/client.js';"],
    ['gRPC stays at the edge', 'services/registry/model.ts', "import * as grpc from '@grpc/grpc-js';"],
    ['Node-API stays in the binding', 'native/engine/error.h', '#include <napi.h>'],
    ['Node-API stays in the binding', 'native/engine/error.h', '#  include "binding/job.h"'],
    ['names say what is inside', 'services/a/utils.ts', ''],
    ['names say what is inside', 'services/shared/a.ts', ''],
    ['names say what is inside', 'services/a/string-helpers.ts', ''],
    ['file names follow the language', 'services/a/modelStore.ts', ''],
    ['file names follow the language', 'services/a/model_store.ts', ''],
    ['file names follow the language', 'native/engine/thread-pool.cpp', ''],
    ['file names follow the language', 'proto/a/ModelService.proto', ''],
    ['services write to the log', 'services/a/model.ts', "console.log('x')"],
    ['tests run', 'test/unit/a.test.ts', `it.${'only'}('x', () => {})`],
    ['tests run', 'test/unit/a.test.ts', `describe.${'skip'}.each([])('x', () => {})`],
  ])('%s: %s with %s', (rule, path, text) => {
    expect(rules[rule]!({ path, text })).not.toEqual([]);
  });
});

describe('a rule allows', () => {
  it.each<[keyof typeof rules & string, string, string]>([
    ['imports follow the table', 'services/training/run.ts', "import '../../native/index.js';"],
    ['imports follow the table', 'services/inference/run.ts', "import '../pipeline/index.js';"],
    ['generated types stay at the edge', 'services/a/rpc.ts', "import type { M } from '../../proto/gen/M.js';"],
    ['generated types stay at the edge', 'services/a/prediction-rpc.ts', "import '../../proto/gen/M.js';"],
    ['Node-API stays in the binding', 'native/binding/job.h', '#include <napi.h>'],
    ['names say what is inside', 'services/a/common-ancestor.ts', ''],
    ['file names follow the language', 'test/unit/a/model-store.test.ts', ''],
  ])('%s: %s with %s', (rule, path, text) => {
    expect(rules[rule]!({ path, text })).toEqual([]);
  });
});
