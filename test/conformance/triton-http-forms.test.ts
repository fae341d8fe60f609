import { afterAll, beforeAll, expect, it } from 'vitest';
import { readConfig } from '../../services/gateway/config.js';
import { startGateway } from '../../services/gateway/service.js';
import type { RunningService } from '../../services/platform/main.js';
import { duration, type FakeInference, startFakeInference } from '../support/fake-inference.js';
import { silentLog } from '../support/serving.js';
import { describeWith, python } from './installed-tools.js';
import { PythonReport } from './python-report.js';

describeWith(await python(), 'tritonclient over HTTP, form by form', (interpreter) => {
  let inference: FakeInference;
  let gateway: RunningService;
  let report: PythonReport;
  let asked: FakeInference['asked'];

  beforeAll(async () => {
    inference = await startFakeInference();
    asked = inference.asked;
    const address = `--inference-address=127.0.0.1:${inference.port}`;
    gateway = await startGateway(readConfig(['--port=0', address], {}), silentLog);
    report = await PythonReport.of(interpreter, 'triton_http_forms.py', [`127.0.0.1:${gateway.port}`]);
  });
  afterAll(async () => {
    await gateway?.stop();
    await inference?.stop(0);
  });

  const value = (check: string) => report.value(check);

  it('carries every datatype to the bit, in JSON and as binary data, both ways', () => {
    const all = value('names_of_all');
    expect(value('datatypes')).toEqual({
      'True True': all,
      'True False': all,
      'False True': all,
      'False False': all,
    });
    expect(value('bfloat16')).toEqual([[1.5, -2]]);
  });

  it('carries bytes that are no text as binary data only', () => {
    expect(value('bytes_that_are_no_text')).toEqual(['ff00', '422']);
  });

  it('carries parameters', () => {
    expect(value('parameters')).toBeNull();
    expect(inference.inferences).toContainEqual(
      expect.objectContaining({
        parameters: {
          sequence_id: expect.objectContaining({ parameterChoice: 'uint64Param' }),
          sequence_start: expect.objectContaining({ boolParam: true }),
          sequence_end: expect.objectContaining({ boolParam: false }),
          priority: expect.objectContaining({ int64Param: 1 }),
          timeout: expect.objectContaining({ int64Param: 1_000 }),
          colour: expect.objectContaining({ stringParam: 'red' }),
          scale: expect.objectContaining({ doubleParam: 0.5 }),
        },
        outputs: [{ name: 'FP32', parameters: { classification: expect.objectContaining({ int64Param: 2 }) } }],
      }),
    );
  });

  it('leaves tensors in shared memory', () => {
    expect(value('shared_tensor')).toEqual({
      name: 'FP32',
      datatype: 'FP32',
      shape: [16],
      parameters: { shared_memory_region: 'in', shared_memory_byte_size: 64, shared_memory_offset: 8 },
    });
    expect(asked.infer).toMatchObject({ rawInputContents: [] });
  });

  it('reads configuration and statistics', () => {
    expect(value('configuration')).toMatchObject({
      name: 'm',
      max_batch_size: 8,
      input: [{ data_type: 'TYPE_INT64' }],
    });
    const stats = expect.objectContaining({
      name: 'm',
      inference_count: 7,
      inference_stats: expect.objectContaining({ queue: duration }),
    });
    expect(value('statistics')).toEqual([{ model_stats: [stats] }, { model_stats: [stats] }]);
  });

  it('loads, unloads and lists', () => {
    expect(value('repository')).toEqual([{ name: 'm', version: '3', state: 'READY', reason: '' }]);
    expect(asked.load).toMatchObject({
      modelName: 'm',
      parameters: {
        config: { stringParam: '{"backend": "onnxruntime"}' },
        'file:1/model.onnx': { bytesParam: Buffer.from([0, 255]) },
      },
    });
    expect(asked.unload).toMatchObject({ parameters: { unload_dependents: { boolParam: true } } });
  });

  it('registers, reads and forgets regions of system memory, and has none of CUDA', () => {
    const regions = [{ name: 'in', key: '/in', offset: 8, byte_size: 64 }];
    expect(value('shared_memory')).toEqual([regions, regions]);
    expect(asked.register).toEqual({ name: 'in', key: '/in', offset: 8, byteSize: 64 });
    expect(asked.unregister).toEqual({ name: '' });
    expect(value('cuda_memory')).toEqual(['501', '501', '501']);
  });

  it('reads and changes settings', () => {
    const trace = { trace_level: ['TIMESTAMPS'], trace_rate: '1000' };
    expect(value('trace_settings')).toEqual([trace, trace, trace]);
    expect(asked.trace).toMatchObject({ modelName: 'm', settings: { trace_count: { value: [] } } });
    const log = { log_info: true, log_verbose_level: 0, log_format: 'default' };
    expect(value('log_settings')).toEqual([log, log]);
    expect(asked.log).toMatchObject({ settings: { log_verbose_level: { uint32Param: 1 } } });
  });
});
