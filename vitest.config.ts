import { defineConfig } from 'vitest/config';

const shared = {
  // Processes, not threads: the tests start servers, change environment variables and load the addon.
  pool: 'forks' as const,
  setupFiles: ['test/support/clean-up.ts'],
  testTimeout: 60_000,
  hookTimeout: 180_000,
};

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      // Straight from the TypeScript sources.
      {
        test: {
          ...shared,
          name: 'sources',
          include: ['test/{unit,native,integration}/**/*.test.ts', 'test/*.test.ts'],
        },
      },
      // What is built, as processes of its own.
      {
        test: {
          ...shared,
          name: 'built',
          include: ['test/{e2e,conformance}/**/*.test.ts'],
          globalSetup: ['test/support/build.ts'],
          // A mesh is six processes: one at a time leaves room for their own timeouts on a small machine.
          fileParallelism: false,
        },
      },
    ],
  },
});
