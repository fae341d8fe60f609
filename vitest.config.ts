import { defineConfig } from 'vitest/config';

const shared = {
  // Processes, not threads: the tests start servers, change environment variables and load the addon.
  pool: 'forks' as const,
  // A process keeps the modules that it has loaded for its next file: to load them anew takes longer than most tests.
  isolate: false,
  setupFiles: ['test/support/clean-up.ts'],
  testTimeout: 60_000,
  hookTimeout: 180_000,
};

const sanitizers = 'test/native/sanitizers.test.ts';

export default defineConfig({
  test: {
    // One more than the smallest machine has cores: many tests wait for a process, a port or a time.
    maxWorkers: 3,
    projects: [
      // Straight from the TypeScript sources.
      {
        test: {
          ...shared,
          name: 'sources',
          include: ['test/{unit,native,integration}/**/*.test.ts', 'test/*.test.ts'],
          exclude: [sanitizers],
        },
      },
      // What is built, as processes of its own. It begins first: it takes longest.
      {
        test: {
          ...shared,
          name: 'built',
          include: ['test/{e2e,conformance}/**/*.test.ts', sanitizers],
          globalSetup: ['test/support/build.ts'],
        },
      },
    ],
  },
});
