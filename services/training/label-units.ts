import { readSafetensors, writeSafetensors } from '../../native/index.js';
import type { LabelUnits } from './training-spec.js';

/**
 * The weights of a network that answers in the units of the label: its last layer, which must be linear, takes scale and offset of each
 * output in.
 * So whoever asks it, by record or by tensor, gets the label's numbers, and nothing has to know that it learned others.
 * @param weights `model.safetensors`
 * @param layer index of the last layer
 * @param units one an output
 */
export function inLabelUnits(weights: Uint8Array, layer: number, units: readonly LabelUnits[]): Uint8Array {
  const { tensors, metadata } = readSafetensors(weights);
  const tensor = (name: string) => {
    const found = tensors.get(`layers.${layer}.${name}`);
    if (!found) {
      throw new Error(`the weights have no layers.${layer}.${name}`);
    }
    return found;
  };
  const [kernel, bias] = [tensor('kernel'), tensor('bias')];
  // [inputs, outputs], row by row.
  const data = kernel.data.map((weight, i) => weight * units[i % units.length]!.scale);
  tensors.set(`layers.${layer}.kernel`, { ...kernel, data });
  tensors.set(`layers.${layer}.bias`, {
    ...bias,
    data: bias.data.map((value, i) => value * units[i]!.scale + units[i]!.offset),
  });
  return writeSafetensors(tensors, metadata);
}
