import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { run, TestMesh } from '../support/mesh.js';
import { tempFolder } from '../support/temp-folder.js';
import { describeWith, goTool } from './installed-tools.js';

/** All that this version has. */
const caseCount = 146;

/** A line of its report for each case that did not pass. */
const failedCase = /<testcase [^>]*classname="([^"]*)"[^>]*>\s*<(?:failure|error|skipped)/g;

describeWith(await goTool('h2spec'), 'h2spec', (program) => {
  let mesh: TestMesh;
  beforeAll(async () => {
    mesh = await TestMesh.start(tempFolder());
  });
  afterAll(() => mesh?.stop());

  it('finds every rule kept', async () => {
    const report = path.join(tempFolder(), 'report.xml');
    const port = String(mesh.portBase + 3);
    const { status, stdout } = await run(program, ['--strict', '--port', port, '--timeout', '5', '-j', report]);
    const xml = readFileSync(report, 'utf8');
    expect([...xml.matchAll(failedCase)].map(([, name]) => name)).toEqual([]);
    expect(xml.match(/<testcase /g)).toHaveLength(caseCount);
    expect(stdout).toContain(`${caseCount} tests, ${caseCount} passed, 0 skipped, 0 failed`);
    expect(status).toBe(0);
  });
});
