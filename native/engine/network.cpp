#include "network.h"

#include <algorithm>
#include <utility>

#include "network_builder.h"
#include "panel.h"

namespace millrace {

Network::Network(NetworkSpec spec, Memory memory) : spec_(std::move(spec)) {
  NetworkBuilder builder(spec_);
  operations_ = std::move(builder.operations);
  tensors_ = std::move(builder.tensors);
  parameter_count_ = builder.parameter_count;
  trainable_size_ = builder.trainable_size;
  block_size_ = builder.block_size;
  if (memory == Memory::kZeros) parameters_ = ParameterBlock(block_size_);
  prediction_ = PredictionPlan(operations_, builder.block_size);
}

void Network::initialize(std::uint64_t seed) {
  for (const ParameterTensor& tensor : tensors_) {
    const bool vector = tensor.shape.size() == 1;
    initialize_tensor(tensor.initializer,
                      {tensor.rows(), tensor.columns(), vector ? tensor.columns() : tensor.rows(), tensor.columns()},
                      seed, tensor.stream, parameters_.data() + tensor.offset);
  }
  fold();
}

Activation Network::last_activation() const {
  const Operation& last = operations_.back();
  return last.type == OperationType::kActivation ? last.activation : Activation::kLinear;
}

std::size_t Network::logits() const {
  const Operation& last = operations_.back();
  return last.type == OperationType::kActivation ? last.input : operations_.size();
}

bool Network::needs_whole_batches() const {
  return std::any_of(operations_.begin(), operations_.end(), [](const Operation& operation) {
    return operation.type == OperationType::kBatchNormalization;
  });
}

void Network::unpack(const float* block, std::span<float> flat) const {
  std::size_t next = 0;
  for (const ParameterTensor& tensor : tensors_) {
    for (std::size_t row = 0; row < tensor.rows(); ++row) {
      for (std::size_t column = 0; column < tensor.columns(); ++column) {
        flat[next++] = block[tensor.offset + panel_offset(tensor.rows(), row, column)];
      }
    }
  }
}

void Network::pack(std::span<const float> flat, float* block) const {
  std::size_t next = 0;
  for (const ParameterTensor& tensor : tensors_) {
    for (std::size_t row = 0; row < tensor.rows(); ++row) {
      for (std::size_t column = 0; column < tensor.columns(); ++column) {
        block[tensor.offset + panel_offset(tensor.rows(), row, column)] = flat[next++];
      }
    }
  }
}

}  // namespace millrace
