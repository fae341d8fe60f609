#include "propagation.h"

#include <cmath>

#include "layers/layers.h"
#include "panel.h"

namespace millrace {
namespace {

const DenseLayer* as_dense(const Layer& layer) { return dynamic_cast<const DenseLayer*>(&layer); }

std::size_t tail_of(const std::vector<std::unique_ptr<Layer>>& layers) {
  for (std::size_t index = layers.size(); index-- > 0;) {
    if (as_dense(*layers[index]) != nullptr) return index;
    if (layers[index]->whole_columns()) return index + 1;
  }
  return 0;
}

}  // namespace

Propagation::Propagation(Network& network, const LossSpec& loss, ThreadPool& pool, std::size_t rows_max,
                         bool input_error, std::uint64_t seed)
    : network_(network),
      kernels_(kernels()),
      loss_(loss),
      pool_(pool),
      values_(network, rows_max, input_error),
      row_loss_(rows_max),
      row_correct_(rows_max) {
  const Layer::Context context{kernels_, network_, values_, blocks_, pool, rows_max, seed};
  for (const Operation& operation : network.operations()) layers_.push_back(make_layer(operation, context));
  tail_ = tail_of(layers_);
}

void Propagation::gather(unsigned member, const Examples& examples, const Slice& slice, unsigned buffer,
                         const Augmenter* augmenter) {
  millrace::gather(examples,
                   {slice.order, slice.first_row, values_.input(buffer), slice.rows, values_.nonzero(buffer),
                    augmenter},
                   share_of(slice.rows, member, pool_.size()));
}

void Propagation::run_forward(unsigned member, Layer& layer, const Slice& slice, unsigned buffer) {
  const std::size_t panels = panel_count(layer.operation().outer);
  const DenseLayer* dense = as_dense(layer);
  if (dense != nullptr ? dense->by_panels() : layer.whole_columns()) {
    layer.forward(slice, buffer, {0, slice.rows}, share_of(panels, member, pool_.size()));
  } else {
    layer.forward(slice, buffer, share_of(slice.rows, member, pool_.size()), {0, panels});
  }
}

bool Propagation::needs_backward(const Layer& layer) const {
  const Operation& operation = layer.operation();
  return values_.has_error(operation.input) || (operation.other != kNone && values_.has_error(operation.other));
}

void Propagation::run_backward(unsigned member, Layer& layer, const Slice& slice, unsigned buffer) {
  if (!needs_backward(layer)) return;
  const std::size_t panels = panel_count(layer.operation().inner);
  if (as_dense(layer) != nullptr ? shares_evenly(panels, pool_.size()) : layer.whole_columns()) {
    layer.backward(slice, buffer, {0, slice.rows}, share_of(panels, member, pool_.size()));
  } else {
    layer.backward(slice, buffer, share_of(slice.rows, member, pool_.size()), {0, panels});
  }
}

void Propagation::forward(unsigned member, const Slice& slice, unsigned buffer, bool fresh_weights) {
  if (fresh_weights) {
    for (const auto& layer : layers_) layer->refresh(member);
  }
  for (std::size_t index = 0; index < tail_; ++index) {
    run_forward(member, *layers_[index], slice, buffer);
    pool_.synchronize();
  }
}

void Propagation::finish(unsigned member, const Examples& examples, const Slice& slice, unsigned buffer) {
  const Range rows = share_of(slice.rows, member, pool_.size());
  for (std::size_t index = tail_; index < layers_.size(); ++index) {
    layers_[index]->forward(slice, buffer, rows, {0, panel_count(layers_[index]->operation().outer)});
  }
  const std::size_t outputs = layers_.size();
  const std::size_t logits = network_.logits();
  const Activation last = network_.last_activation();
  const bool fused = is_fused(loss_.type, last);
  loss_rows({loss_, last, values_.at(logits, buffer), values_.at(outputs, buffer), slice.rows, network_.outputs(),
             examples.targets, examples.target_classes, examples.weights, slice.order, slice.first_row, slice.weight,
             values_.error(fused ? logits : outputs), row_loss_.data(), row_correct_.data()},
            rows);
  std::size_t index = layers_.size();
  if (fused && logits < outputs) {
    // The loss has already taken the error through the last activation.
    --index;
    if (index >= tail_) {
      layers_[index]->finish_input_error(slice, buffer, logits, rows, {0, panel_count(network_.outputs())});
    }
  }
  while (index-- > tail_) {
    if (!needs_backward(*layers_[index])) continue;
    layers_[index]->backward(slice, buffer, rows, {0, panel_count(layers_[index]->operation().inner)});
  }
}

void Propagation::backward(unsigned member, const Slice& slice, unsigned buffer, WeightGradient::Mode mode,
                           const Update& update, bool settle) {
  const auto weigh = [&](Layer& layer) {
    layer.weigh(slice, buffer, member, mode, update);
    if (settle) layer.settle(slice, member);
  };
  for (std::size_t index = tail_; index < layers_.size(); ++index) weigh(*layers_[index]);
  // Between the tail's new weights and the next forward pass the team must meet at least once.
  if (tail_ <= 1) pool_.synchronize();
  for (std::size_t index = tail_; index-- > 0;) {
    run_backward(member, *layers_[index], slice, buffer);
    weigh(*layers_[index]);
    // The next slice begins with the first layer. Where each member computes exactly the columns whose weights it has
    // just changed, nobody has to be waited for.
    const DenseLayer* dense = as_dense(*layers_[index]);
    if (index == 0 && dense != nullptr && dense->by_panels()) return;
    pool_.synchronize();
  }
}

void Propagation::measure(const Slice& slice, unsigned buffer, double* squared_norms) {
  for (std::size_t index = tail_; index-- > 0;) run_backward(0, *layers_[index], slice, buffer);
  for (const auto& layer : layers_) layer->add_squared_norms(slice, buffer, squared_norms);
}

std::string Propagation::first_not_finite(const Slice& slice) {
  for (const auto& layer : layers_) {
    const Operation& operation = layer->operation();
    const auto index = static_cast<std::size_t>(&operation - network_.operations().data());
    const float* result = values_.at(index + 1, 0);
    for (std::size_t row = 0; row < slice.rows; ++row) {
      for (std::size_t column = 0; column < operation.outer; ++column) {
        if (!std::isfinite(result[panel_offset(slice.rows, row, column)])) return operation.name;
      }
    }
  }
  return "";
}

}  // namespace millrace
