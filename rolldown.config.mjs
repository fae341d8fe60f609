import { defineConfig } from 'rolldown';

// Every program of the project. Each is bundled with what it imports: six processes start together on `millrace up`, and most of
// that time would go into finding and compiling hundreds of small files.
const programs = [
  ...['gateway', 'inference', 'preprocessing', 'registry', 'supervisor', 'training'].map(
    (name) => `services/${name}/main`,
  ),
  'services/inference/worker',
  'services/training/doctor',
  'clients/cli/main',
  'clients/sdk/index',
  ...[
    'main',
    ...['crowded', 'epoch', 'large', 'load', 'predict', 'predict-ort', 'quantized', 'rows'].map(
      (name) => `engine-${name}`,
    ),
    ...['echo', 'profile', 'stream'].map((name) => `serving-${name}`),
    'data-describe',
    'data-images',
    'data-record',
    'data-table',
    'flight-mnist',
  ].map((name) => `test/bench/${name}`),
  'test/soak/main',
];

export default defineConfig({
  input: Object.fromEntries(programs.map((program) => [program, `${program}.ts`])),
  platform: 'node',
  logLevel: 'warn',
  // Packages with binaries beside them, or that look for other packages at run time.
  external: [/^libsql/, /^sharp/, /^@duckdb\//, /^protobufjs/, 'long'],
  output: {
    dir: 'dist',
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name]-[hash].js',
    sourcemap: true,
  },
});
