import { readSafetensors, writeSafetensors } from '../../native/index.js';

/** A network learns (label - offset) / scale. */
export interface LabelUnits {
  scale: number;
  offset: number;
}

/**
 * The weights of a network that answers in the units of the label: its last layer, which must be linear, takes scale and offset in.
 * So whoever asks it, by record or by tensor, gets the label's numbers, and nothing has to know that it learned others.
 * @param weights `model.safetensors`
 * @param layer index of the last layer
 */
export function inLabelUnits(weights: Uint8Array, layer: number, { scale, offset }: LabelUnits): Uint8Array {
  const { tensors, metadata } = readSafetensors(weights);
  const tensor = (name: string) => {
    const found = tensors.get(`layers.${layer}.${name}`);
    if (!found) {
      throw new Error(`the weights have no layers.${layer}.${name}`);
    }
    return found;
  };
  const [kernel, bias] = [tensor('kernel'), tensor('bias')];
  const data = kernel.data.map((weight) => weight * scale);
  tensors.set(`layers.${layer}.kernel`, { ...kernel, data });
  tensors.set(`layers.${layer}.bias`, { ...bias, data: bias.data.map((value) => value * scale + offset) });
  return writeSafetensors(tensors, metadata);
}
