import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { root, run } from './support/mesh.js';

const tool = (name: string) => path.join(root, 'node_modules/.bin', name);

describe('the sources', () => {
  it.each([
    ['buf lint', tool('buf'), ['lint', 'proto']],
    ['buf format', tool('buf'), ['format', '--diff', '--exit-code', 'proto']],
    ['biome', tool('biome'), ['ci', '--colors=off', '--error-on-warnings', '.']],
    ['the TypeScript compiler', tool('tsc'), ['--noEmit']],
  ])(
    'satisfy %s',
    async (_, command, args) => {
      const { status, stdout, stderr } = await run(command, args);
      expect(status, stdout + stderr).toBe(0);
    },
    300_000,
  );
});
