import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeMessage } from '../../../proto/index.js';
import { stepDefinitions } from '../../../services/pipeline/index.js';
import { inSnakeCase } from '../../../services/preprocessing/pipeline-spec.js';
import { root } from '../../support/mesh.js';

const steps = stepDefinitions.map(({ kind, summary }) => [inSnakeCase(kind), summary]);

describe('every kind of step', () => {
  it('stands in the contract under its name', () => {
    expect(describeMessage('millrace.v1.Step').fieldsArray.map(({ name }) => name)).toEqual(
      steps.map(([name]) => name),
    );
  });

  it('is in the README, in the words of the registry', () => {
    const readme = readFileSync(path.join(root, 'services/preprocessing/README.md'), 'utf8');
    const rows = [...readme.matchAll(/^\| `([a-z_]+)` +\| (.*?) +\|$/gm)].map(([, name, summary]) => [name, summary]);
    expect(rows.filter(([name]) => steps.some(([known]) => known === name))).toEqual(steps);
  });
});
