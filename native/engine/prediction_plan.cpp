#include "prediction_plan.h"

#include <algorithm>
#include <cmath>

#include "panel.h"

namespace millrace {

PredictionPlan::PredictionPlan(const std::vector<Operation>& operations, std::size_t block_size)
    : block_size_(block_size), folded_size_(block_size) {
  std::vector<std::size_t> readers(operations.size() + 1);
  for (const Operation& operation : operations) {
    ++readers[operation.input];
    if (operation.other != kNone) ++readers[operation.other];
  }
  // Where each of the network's values is found in the plan.
  std::vector<std::size_t> place(operations.size() + 1);
  for (std::size_t index = 0; index < operations.size(); ++index) {
    const Operation& operation = operations[index];
    const std::size_t from = place[operation.input];
    const bool alone = from > 0 && readers[operation.input] == 1;
    Operation* before = alone ? &operations_[from - 1] : nullptr;
    const bool after_product =
        alone && before->type == OperationType::kDense && before->activation == Activation::kLinear;
    if (operation.type == OperationType::kDropout) {
      place[index + 1] = from;
      // Whoever reads the dropout's result reads the value itself.
      readers[operation.input] += readers[index + 1] - 1;
      readers[index + 1] = readers[operation.input];
      continue;
    }
    if (operation.type == OperationType::kBatchNormalization && after_product) {
      if (before->bias == kNone) {
        before->bias = folded_size_;
        folded_size_ += padded(before->outer);
      }
      folds_.push_back({from - 1, operation});
      place[index + 1] = from;
      continue;
    }
    const bool last = index + 1 == operations.size();
    if (operation.type == OperationType::kActivation && after_product && !last &&
        is_elementwise(operation.activation) && operation.parameter == default_parameter(operation.activation)) {
      before->activation = operation.activation;
      place[index + 1] = from;
      continue;
    }
    operations_.push_back(operation);
    Operation& added = operations_.back();
    added.input = from;
    if (operation.other != kNone) added.other = place[operation.other];
    if (operation.type == OperationType::kBatchNormalization) {
      added.type = OperationType::kScale;
      folds_.push_back({operations_.size() - 1, operation});
    }
    place[index + 1] = operations_.size();
  }
  if (operations_.empty()) {
    // Nothing but dropout: the outputs are the inputs.
    operations_.push_back(operations.back());
    operations_.back().type = OperationType::kActivation;
    operations_.back().activation = Activation::kLinear;
    operations_.back().input = 0;
  }
  assign_slots();
  products_read_input_ = std::all_of(operations_.begin(), operations_.end(), [](const Operation& operation) {
    return !operation.reads(0) || operation.type == OperationType::kDense;
  });
}

void PredictionPlan::assign_slots() {
  const std::size_t values = operations_.size() + 1;
  std::vector<std::size_t> last_reader(values, values);
  for (std::size_t index = 0; index < operations_.size(); ++index) {
    last_reader[operations_[index].input] = index;
    if (operations_[index].other != kNone) last_reader[operations_[index].other] = index;
  }
  slots_.resize(values);
  std::vector<std::size_t> free_from;  // by slot: the operation from which on it may be written
  for (std::size_t value = 1; value < values; ++value) {
    const std::size_t writer = value - 1;
    std::size_t slot = 0;
    while (slot < free_from.size() && free_from[slot] > writer) ++slot;
    if (slot == free_from.size()) free_from.push_back(0);
    slots_[value] = slot;
    free_from[slot] = last_reader[value] + 1;
  }
  slot_count_ = free_from.size();
}

std::size_t PredictionPlan::multiply_adds() const {
  std::size_t total = 0;
  for (const Operation& operation : operations_) {
    total += operation.type == OperationType::kDense ? operation.inner * operation.outer : operation.outer;
  }
  return total;
}

PredictionPlan PredictionPlan::without_products(const float* block) const {
  PredictionPlan rest(*this);
  const float* from = parameters(block);
  rest.folds_.clear();
  AlignedBuffer<float> kept;
  const auto keep = [&](std::size_t& offset, std::size_t rows, std::size_t columns) {
    if (offset == kNone) return;
    const std::size_t size = panel_size(rows, columns);
    kept.insert(kept.end(), from + offset, from + offset + size);
    offset = kept.size() - size;
  };
  for (Operation& operation : rest.operations_) {
    for (std::size_t* offset : {&operation.gamma, &operation.beta, &operation.alpha}) keep(*offset, 1, operation.outer);
    for (std::size_t index = 0; index < operation.tables.size(); ++index) {
      keep(operation.table_offsets[index], operation.tables[index].categories, operation.tables[index].units);
    }
  }
  rest.folded_ = ParameterBlock(std::move(kept));
  return rest;
}

void PredictionPlan::fold(const float* block) {
  if (folds_.empty()) return;
  if (folded_.empty()) folded_ = ParameterBlock(folded_size_);
  float* folded = folded_.data();
  std::copy(block, block + block_size_, folded);
  std::fill(folded + block_size_, folded + folded_size_, 0.0f);
  for (const Fold& fold : folds_) {
    const Operation& operation = operations_[fold.operation];
    const Operation& normalization = fold.normalization;
    for (std::size_t column = 0; column < operation.outer; ++column) {
      const double variance = block[normalization.moving_variance + column];
      const double mean = block[normalization.moving_mean + column];
      const double factor = block[normalization.gamma + column] / std::sqrt(variance + normalization.epsilon);
      const double beta = block[normalization.beta + column];
      if (operation.type == OperationType::kScale) {
        folded[operation.gamma + column] = static_cast<float>(factor);
        folded[operation.beta + column] = static_cast<float>(beta - mean * factor);
        continue;
      }
      float& bias = folded[operation.bias + column];
      bias = static_cast<float>((bias - mean) * factor + beta);
      for (std::size_t row = 0; row < operation.inner; ++row) {
        float& weight = folded[operation.kernel + panel_offset(operation.inner, row, column)];
        weight = static_cast<float>(weight * factor);
      }
    }
  }
}

}  // namespace millrace
