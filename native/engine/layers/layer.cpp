#include "layer.h"

#include <algorithm>

#include "layers.h"

namespace millrace {

Values::Values(const Network& network, std::size_t rows_max, bool input_error) {
  for (AlignedBuffer<float>& input : inputs_) input.resize(panel_size(rows_max, network.inputs()));
  for (AlignedBuffer<std::uint16_t>& nonzero : nonzero_) nonzero.resize(panel_count(network.inputs()) * rows_max);
  errors_.emplace_back(input_error ? panel_size(rows_max, network.inputs()) : 0);
  for (const Operation& operation : network.operations()) {
    results_.emplace_back(panel_size(rows_max, operation.outer));
    errors_.emplace_back(panel_size(rows_max, operation.outer));
  }
}

Layer::Layer(const Operation& operation, const Context& context)
    : operation_(operation),
      context_(context),
      result_(static_cast<std::size_t>(&operation - context.network.operations().data()) + 1) {}

ParameterBlocks Layer::blocks_at(std::size_t offset) const { return moved(context_.blocks, offset); }

bool Layer::adds_to(std::size_t value) const {
  const std::vector<Operation>& operations = context_.network.operations();
  for (std::size_t later = index() + 1; later < operations.size(); ++later) {
    if (operations[later].reads(value)) return true;
  }
  return false;
}

Activation Layer::fused_activation(std::size_t value) const {
  const std::vector<Operation>& operations = context_.network.operations();
  for (std::size_t earlier = value; earlier < index(); ++earlier) {
    if (operations[earlier].reads(value)) return Activation::kLinear;
  }
  const bool product = value > 0 && operations[value - 1].type == OperationType::kDense;
  return product ? operations[value - 1].activation : Activation::kLinear;
}

void Layer::finish_input_error(const Slice& slice, unsigned buffer, std::size_t value, Range rows, Range panels) const {
  const Activation activation = fused_activation(value);
  if (activation == Activation::kLinear) return;
  float* error = context_.values.error(value);
  context_.kernels.slope({activation, default_parameter(activation), nullptr, context_.values.at(value, buffer),
                          slice.rows, context_.network.width(value)},
                         error, error, rows, panels);
}

void Layer::apply_line(std::size_t offset, const float* gradient, WeightGradient::Mode mode,
                        const Update& update) const {
  alignas(64) float line[kPanelWidth];
  for (std::size_t lane = 0; lane < kPanelWidth; ++lane) line[lane] = gradient[lane];
  ParameterBlocks blocks = blocks_at(offset);
  if (mode == WeightGradient::Mode::kUpdate) {
    blocks.gradient = line;
    Update spared = update;  // regularisation is for kernels
    spared.l1 = spared.l2_slope = 0.0f;
    context_.kernels.update(blocks, spared, kPanelWidth);
    return;
  }
  const bool add = mode == WeightGradient::Mode::kAdd;
  for (std::size_t lane = 0; lane < kPanelWidth; ++lane) {
    blocks.gradient[lane] = add ? blocks.gradient[lane] + line[lane] : line[lane];
  }
}

Range Layer::own_panels(std::size_t columns, unsigned member) const {
  return share_of(panel_count(columns), member, members());
}

void Layer::copy_own(std::size_t offset, unsigned member, AlignedBuffer<float>& copy) const {
  const Range panels = own_panels(operation_.outer, member);
  std::copy(parameters(offset) + panels.begin * kPanelWidth, parameters(offset) + panels.end * kPanelWidth,
            copy.begin() + static_cast<std::ptrdiff_t>(panels.begin * kPanelWidth));
}

std::unique_ptr<Layer> make_layer(const Operation& operation, const Layer::Context& context) {
  switch (operation.type) {
    case OperationType::kDense:
      return std::make_unique<DenseLayer>(operation, context);
    case OperationType::kActivation:
      return std::make_unique<ActivationLayer>(operation, context);
    case OperationType::kPrelu:
      return std::make_unique<PreluLayer>(operation, context);
    case OperationType::kDropout:
      return std::make_unique<DropoutLayer>(operation, context);
    case OperationType::kBatchNormalization:
      return std::make_unique<BatchNormalizationLayer>(operation, context);
    case OperationType::kLayerNormalization:
      return std::make_unique<LayerNormalizationLayer>(operation, context);
    case OperationType::kAdd:
      return std::make_unique<AddLayer>(operation, context);
    case OperationType::kEmbedding:
      return std::make_unique<EmbeddingLayer>(operation, context);
    case OperationType::kScale:
      break;
  }
  return nullptr;
}

}  // namespace millrace
