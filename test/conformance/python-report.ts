import path from 'node:path';
import { root, run } from '../support/mesh.js';

/** Runs one of this folder's scripts to its end. @param modules a folder whose Python modules it can import */
export async function runPython(interpreter: string, script: string, args: string[], modules = ''): Promise<string> {
  const file = path.join(root, 'test/conformance', script);
  const env = { ...process.env, PYTHONPATH: modules, PYTHONDONTWRITEBYTECODE: '1' };
  const { status, stdout, stderr } = await run(interpreter, [file, ...args], { env });
  if (status !== 0) {
    throw new Error(`${script} ended with status ${status}: ${stderr}`);
  }
  return stdout;
}

/** What the checks of a Python script brought, by name (see `report.py`). */
export class PythonReport {
  private constructor(private readonly results: Record<string, { value: unknown } | { raised: string }>) {}

  /** Runs a script of checks; arguments as of `runPython`. */
  static async of(interpreter: string, script: string, args: string[], modules = ''): Promise<PythonReport> {
    return new PythonReport(JSON.parse(await runPython(interpreter, script, args, modules)));
  }

  /** Result of one check; throws what it raised. */
  value(check: string): unknown {
    const result = this.results[check];
    if (!result) {
      throw new Error(`there is no check ${check}`);
    }
    if ('raised' in result) {
      throw new Error(result.raised);
    }
    return result.value;
  }
}
