#include "propagation.h"

#include "optimization.h"
#include "panel.h"

namespace millrace {

Propagation::Propagation(Network& network, const LossSpec& loss, ThreadPool& pool, std::size_t rows_max, bool input_error)
    : network_(network), kernels_(kernels()), loss_(loss), pool_(pool) {
  const std::vector<Layer>& layers = network.layers();
  for (AlignedBuffer<float>& input : inputs_) input.resize(panel_size(rows_max, network.inputs()));
  for (AlignedBuffer<std::uint16_t>& mask : nonzero_) mask.resize(rows_max * panel_count(network.inputs()));
  for (std::size_t index = 0; index < layers.size(); ++index) {
    const Layer& layer = layers[index];
    outputs_.emplace_back(panel_size(rows_max, layer.outer));
    errors_.emplace_back(panel_size(rows_max, layer.outer));
    const bool needed = index > 0 || input_error;
    transposed_.emplace_back(needed ? panel_size(layer.outer, layer.inner) : 0);
  }
  logits_.resize(panel_size(rows_max, network.outputs()));
  if (input_error) input_error_.resize(panel_size(rows_max, network.inputs()));
  row_loss_.resize(rows_max);
  row_correct_.resize(rows_max);
}

const float* Propagation::input_of(std::size_t layer, unsigned buffer) const {
  return layer == 0 ? inputs_[buffer].data() : outputs_[layer - 1].data();
}

const std::uint16_t* Propagation::nonzero_of(std::size_t layer, unsigned buffer) const {
  return layer == 0 ? nonzero_[buffer].data() : nullptr;
}

bool Propagation::by_panels(std::size_t layer) const {
  const std::size_t panels = panel_count(network_.layers()[layer].outer);
  return panels % pool_.size() == 0 || panels >= 4 * std::size_t{pool_.size()};
}

void Propagation::gather(unsigned member, const Examples& examples, const Slice& slice, unsigned buffer) {
  const Range rows = share_of(slice.rows, member, pool_.size());
  millrace::gather(
      examples, {slice.order, slice.first_row, inputs_[buffer].data(), slice.rows, nonzero_[buffer].data()}, rows);
}

void Propagation::share_dense(unsigned member, std::size_t layer, const DenseProduct& product, std::size_t rows) {
  const std::size_t panels = panel_count(network_.layers()[layer].outer);
  if (by_panels(layer)) {
    kernels_.dense(product, {0, rows}, share_of(panels, member, pool_.size()));
  } else {
    kernels_.dense(product, share_of(rows, member, pool_.size()), {0, panels});
  }
}

void Propagation::forward(unsigned member, const Slice& slice, unsigned buffer, bool fresh_weights) {
  const std::vector<Layer>& layers = network_.layers();
  const float* parameters = network_.parameters();
  if (fresh_weights) {
    for (std::size_t index = 0; index < layers.size(); ++index) {
      if (transposed_[index].empty()) continue;
      kernels_.transpose(parameters + layers[index].kernel, layers[index].inner, layers[index].outer,
                         transposed_[index].data(),
                         share_of(panel_count(layers[index].inner), member, pool_.size()));
    }
  }
  for (std::size_t index = 0; index + 1 < layers.size(); ++index) {
    const Layer& layer = layers[index];
    float* output = outputs_[index].data();
    share_dense(member, index,
                {input_of(index, buffer), slice.rows, layer.inner, parameters + layer.kernel, parameters + layer.bias,
                 output, slice.rows, nullptr, layer.activation, nonzero_of(index, buffer)},
                slice.rows);
    pool_.synchronize();
    if (layer.activation == Activation::kSoftmax) {
      kernels_.activate(layer.activation, output, output, slice.rows, layer.outer,
                        share_of(slice.rows, member, pool_.size()));
      pool_.synchronize();
    }
  }
}

void Propagation::finish(unsigned member, const Examples& examples, const Slice& slice, unsigned buffer) {
  const std::size_t last = network_.layers().size() - 1;
  const Layer& layer = network_.layers()[last];
  const float* parameters = network_.parameters();
  const Range rows = share_of(slice.rows, member, pool_.size());
  float* outputs = outputs_[last].data();
  float* error = errors_[last].data();
  kernels_.dense({input_of(last, buffer), slice.rows, layer.inner, parameters + layer.kernel, parameters + layer.bias,
                  logits_.data(), slice.rows, nullptr, Activation::kLinear, nonzero_of(last, buffer)},
                 rows, {0, panel_count(layer.outer)});
  kernels_.activate(layer.activation, logits_.data(), outputs, slice.rows, layer.outer, rows);
  loss_rows({loss_, layer.activation, logits_.data(), outputs, slice.rows, layer.outer, examples.targets,
             examples.target_classes, examples.weights, slice.order, slice.first_row, slice.weight, error,
             row_loss_.data(), row_correct_.data()},
            rows);
  if (!is_fused(loss_.type, layer.activation)) kernels_.slope(layer.activation, outputs, error, slice.rows, layer.outer, rows);
  if (last > 0) propagate(member, last, slice, rows, {0, panel_count(layer.inner)});
}

void Propagation::propagate(unsigned, std::size_t index, const Slice& slice, Range rows, Range panels) {
  const Layer& layer = network_.layers()[index];
  const bool to_inputs = index == 0;
  const Activation activation = to_inputs ? Activation::kLinear : network_.layers()[index - 1].activation;
  // The softmax Jacobian needs whole rows: the caller passes all panels for it.
  const bool row_wise = activation == Activation::kSoftmax;
  float* target = to_inputs ? input_error_.data() : errors_[index - 1].data();
  const float* at = to_inputs || row_wise ? nullptr : outputs_[index - 1].data();
  kernels_.dense({errors_[index].data(), slice.rows, layer.outer, transposed_[index].data(), nullptr, target,
                  slice.rows, at, at == nullptr ? Activation::kLinear : activation},
                 rows, panels);
  if (row_wise) {
    kernels_.slope(activation, outputs_[index - 1].data(), target, slice.rows, layer.inner, rows);
  }
}

void Propagation::propagate(unsigned member, std::size_t index, const Slice& slice) {
  const std::size_t panels = panel_count(network_.layers()[index].inner);
  const bool row_wise = index > 0 && network_.layers()[index - 1].activation == Activation::kSoftmax;
  if (row_wise || index == 0 || !by_panels(index - 1)) {
    propagate(member, index, slice, share_of(slice.rows, member, pool_.size()), {0, panels});
  } else {
    propagate(member, index, slice, {0, slice.rows}, share_of(panels, member, pool_.size()));
  }
}

void Propagation::weigh(unsigned member, std::size_t index, const Slice& slice, unsigned buffer,
                        WeightGradient::Mode mode, const Update& update) {
  const Layer& layer = network_.layers()[index];
  const std::size_t inner_panels = panel_count(layer.inner);
  const std::size_t panels = panel_count(layer.outer);
  const WeightGradient gradient{input_of(index, buffer), slice.rows, layer.inner, errors_[index].data(), slice.rows,
                                slice.rows, mode, moved(views_, layer.kernel), moved(views_, layer.bias), update,
                                nonzero_of(index, buffer)};
  if (by_panels(index)) {
    kernels_.weight_gradient(gradient, {0, inner_panels}, share_of(panels, member, pool_.size()));
  } else {
    kernels_.weight_gradient(gradient, share_of(inner_panels, member, pool_.size()), {0, panels});
  }
}

}  // namespace millrace
