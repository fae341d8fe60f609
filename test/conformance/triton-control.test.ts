import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestMesh } from '../support/mesh.js';
import { tempFolder } from '../support/temp-folder.js';
import { describeWith, python } from './installed-tools.js';
import { PythonReport } from './python-report.js';

const datatypes = 'BOOL UINT8 INT8 UINT16 INT16 UINT32 INT32 UINT64 INT64 FP16 FP32 FP64 BYTES'.split(' ');
/** What each of the script's connections says. */
const everywhere = (answer: unknown) => Array.from({ length: 4 }, () => answer);

describeWith(await python(), 'tritonclient', (interpreter) => {
  let mesh: TestMesh;
  let report: PythonReport;

  beforeAll(async () => {
    mesh = await TestMesh.start(path.join(tempFolder(), 'data'), undefined, ['--workers=2']);
    report = await PythonReport.of(interpreter, 'triton_control_client.py', [`127.0.0.1:${mesh.portBase + 1}`]);
  });
  afterAll(() => mesh?.stop());

  const value = (check: string) => report.value(check);
  const refused = (status: string, words: string) => ({
    status: `StatusCode.${status}`,
    message: expect.stringContaining(words),
  });

  it('gets values of every datatype back from an uploaded model', () => {
    expect(value('datatypes')).toEqual(Object.fromEntries(datatypes.map((datatype) => [datatype, true])));
  });

  it('gets what an uploaded model casts to', () => {
    expect(value('casts')).toEqual({
      INT64: { datatype: 'INT64', values: [[0, 1, 2]] },
      UINT8: { datatype: 'UINT8', values: [[0, 1, 2]] },
      FP64: { datatype: 'FP64', values: [[0, 1, 2.75]] },
      BOOL: { datatype: 'BOOL', values: [[false, true, true]] },
    });
  });

  it('is told why a model cannot be loaded or unloaded', () => {
    expect(value('refuses_to_load')).toEqual({
      unknown: refused('NOT_FOUND', "failed to load 'minst'"),
      not_onnx: refused('INVALID_ARGUMENT', 'model.onnx is not an ONNX model'),
      no_config: refused('INVALID_ARGUMENT', 'Expected parameter `config` beside the files'),
      unknown_unload: refused('NOT_FOUND', "failed to unload 'minst'"),
    });
  });

  it('loads and unloads a model for all workers', () => {
    expect(value('loads_and_unloads')).toEqual({
      listed: [['comes', '3', 'READY']],
      loaded: everywhere(true),
      unloaded: everywhere(false),
      refused: everywhere('StatusCode.UNAVAILABLE'),
    });
  });

  it('loads a model by a configuration of its own', () => {
    expect(value('overrides_a_configuration')).toEqual(everywhere([[4], 70, 5, 'StatusCode.INVALID_ARGUMENT']));
  });

  it('gets the configuration of a model', () => {
    expect(value('describes_a_model')).toEqual({
      name: 'described',
      platform: 'onnx_onnxv1',
      input: [{ name: 'x', data_type: 'TYPE_FP32', dims: ['3'] }],
      output: [{ name: 'y', data_type: 'TYPE_FP32', dims: ['3'] }],
    });
  });

  it('gets the counts of what all workers did', () => {
    expect(value('statistics_of_unknown_model')).toEqual(refused('NOT_FOUND', 'minst'));
    const batches = { 1: 4, 2: 4 };
    const counts = { version: '1', inferences: 12, executions: 8, succeeded: 8, queued: 8, batches, timed: true };
    expect(value('counts')).toEqual(everywhere(counts));
  });

  it('is told what is wrong with shared memory', () => {
    expect(value('refuses_memory')).toEqual({
      no_key: refused('INVALID_ARGUMENT', 'Unable to open shared memory region'),
      unknown: refused('NOT_FOUND', "Unable to find shared memory region: 'absent'"),
      unknown_status: refused('NOT_FOUND', "Unable to find system shared memory region: 'absent'"),
      twice: refused('ALREADY_EXISTS', "shared memory region 'small' already in manager"),
      larger_than_memory: refused('INVALID_ARGUMENT', 'but it has 24 bytes in all'),
      beyond: refused('INVALID_ARGUMENT', "Invalid offset + byte size for shared memory region: 'small'"),
      input_size: refused('INVALID_ARGUMENT', "Expected 24 bytes of input 'x'"),
      output_size: refused('INVALID_ARGUMENT', "Expected shared memory of 24 bytes or more for output 'y'"),
      cut: everywhere(refused('INVALID_ARGUMENT', 'has been cut short')),
      alive: everywhere(true),
    });
  });

  it('infers from shared memory into shared memory, whichever worker is asked', () => {
    const answer = { same: true, shape: [2, 3], region: 'both', size: 24, inline: 0 };
    expect(value('shares_memory')).toEqual({
      brought: everywhere(answer),
      known: everywhere(['both']),
      told: [true, 0, 56],
      left: everywhere([]),
    });
    expect(value('shares_memory_of_texts')).toBe(true);
  });

  it('unregisters all shared memory at once', () => {
    const before = everywhere(['one', 'other']);
    expect(value('unregisters_all_memory')).toEqual({ before, after: everywhere([]) });
  });

  it('is refused CUDA shared memory in words', () => {
    const words = refused('UNIMPLEMENTED', 'CUDA shared memory is not supported');
    expect(value('refuses_cuda')).toEqual([words, words, words]);
  });

  it('is told which settings there are not', () => {
    expect(value('refuses_settings')).toEqual({
      trace: refused('INVALID_ARGUMENT', 'trace_rate'),
      trace_level: refused('INVALID_ARGUMENT', 'OFF or TIMESTAMPS'),
      log: refused('INVALID_ARGUMENT', 'log_colour'),
      model: refused('NOT_FOUND', 'minst'),
    });
  });

  it('changes trace settings of all workers', () => {
    expect(value('changes_trace_settings')).toEqual({
      reset: true,
      server: everywhere({ trace_level: ['TIMESTAMPS'], trace_rate: ['7'], trace_count: ['9'] }),
      model: everywhere(['2']),
      cleared: everywhere(['7']),
    });
  });

  it('changes log settings of all workers', () => {
    expect(value('changes_log_settings')).toEqual({ verbose: everywhere([true, 1]), after: everywhere([true, 0]) });
  });
});
