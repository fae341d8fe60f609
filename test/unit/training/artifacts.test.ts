import { describe, expect, it } from 'vitest';
import { createArtifacts, versionMetrics } from '../../../services/training/artifacts.js';
import type { EpochMetrics } from '../../../services/training/job.js';
import { resolveSpec } from '../../../services/training/spec-resolution.js';
import { fittedPipeline, validDraft } from './spec-draft.js';

const epoch: EpochMetrics = {
  ...{ epoch: 1, epochs: 1, loss: 0.25, accuracy: 0.5, validationLoss: 0.75, validationAccuracy: null },
  ...{
    seconds: 2,
    examplesPerSecond: 10,
    remainingSeconds: 0,
    learningRate: 0.001,
    gradientNorm: 1,
    weightNorm: 2,
    steps: 10,
  },
};
const test = { loss: 0.125, accuracy: 0.875, rowCount: 8 };
const definition = '{"a":"ü"}';
const sources = {
  spec: resolveSpec(validDraft(), fittedPipeline()),
  pipeline: fittedPipeline({ definition }),
  weights: Uint8Array.of(1, 2),
  epochs: [epoch],
  restoredEpoch: 1,
  tested: { test, evaluation: null, scores: [] },
};

describe('createArtifacts', () => {
  const artifacts = createArtifacts(sources);
  const json = (name: string) => JSON.parse(Buffer.from(artifacts[name]!).toString()) as unknown;

  const dense = { useBias: true, kernelInitializer: 'glorotUniform', biasInitializer: 'zeros' };

  it('describes the network in the words of the engine', () => {
    expect(json('network.json')).toEqual({
      format: 'millrace.network/1',
      inputs: 784,
      layers: [
        { type: 'dense', units: 128, activation: 'relu', ...dense },
        { type: 'dense', units: 10, activation: 'softmax', ...dense },
      ],
      loss: 'categoricalCrossEntropy',
    });
  });

  it('describes inputs, outputs and classes', () => {
    expect(json('signature.json')).toEqual({
      format: 'millrace.signature/1',
      inputs: [{ name: 'input', datatype: 'FP32', shape: [-1, 784] }],
      outputs: [{ name: 'output', datatype: 'FP32', shape: [-1, 10] }],
      classes: fittedPipeline().classes,
    });
  });

  it('passes weights and pipeline on as they are', () => {
    expect(artifacts['model.safetensors']).toBe(sources.weights);
    expect(Buffer.from(artifacts['pipeline.json']!).toString()).toBe(definition);
  });

  it('reports every epoch without its forecast', () => {
    const { remainingSeconds: _, ...reported } = epoch;
    const tested = { test, evaluation: null };
    const findings = [expect.objectContaining({ kind: 'overfitting' })];
    const report = { format: 'millrace.report/1', ...tested, findings, restoredEpoch: 1, epochs: [reported] };
    expect(json('report.json')).toEqual(report);
  });

  it('is the same each time', () => {
    expect(createArtifacts(sources)).toEqual(artifacts);
  });
});

describe('versionMetrics', () => {
  it('leaves out what was not measured', () => {
    expect(versionMetrics(epoch, { test: null, evaluation: null, scores: [] })).toEqual({
      train_loss: 0.25,
      train_accuracy: 0.5,
      validation_loss: 0.75,
    });
    expect(versionMetrics(epoch, { test, evaluation: null, scores: [] })).toMatchObject({
      test_loss: 0.125,
      test_accuracy: 0.875,
    });
  });
});
