#include "network.h"

#include <string>
#include <utility>

#include "error.h"
#include "panel.h"

namespace millrace {
namespace {

constexpr std::size_t kUnitsMax = std::size_t{1} << 20;
constexpr std::size_t kParametersMax = std::size_t{1} << 31;

void expect_size(const std::string& field, std::size_t value) {
  if (value >= 1 && value <= kUnitsMax) return;
  refuse(field, "Expected `" + field + "` to be between 1 and " + std::to_string(kUnitsMax) + " but received " +
                    std::to_string(value) + ".");
}

}  // namespace

Network::Network(NetworkSpec spec) : spec_(std::move(spec)) {
  expect_size("inputs", spec_.inputs);
  if (spec_.layers.empty()) refuse("layers", "Expected `layers` to hold at least one layer but received none.");
  std::size_t inner = spec_.inputs;
  for (std::size_t index = 0; index < spec_.layers.size(); ++index) {
    const LayerSpec& layer = spec_.layers[index];
    const std::string field = "layers[" + std::to_string(index) + "]";
    expect_size(field + ".units", layer.units);
    expect_initializer(field + ".kernelInitializer", layer.initializer);
    const std::string name = "layers." + std::to_string(index);
    const std::size_t kernel = add_tensor(name + ".kernel", {inner, layer.units}, true);
    const std::size_t bias = add_tensor(name + ".bias", {layer.units}, false);
    layers_.push_back({inner, layer.units, layer.activation, kernel, bias});
    inner = layer.units;
    if (block_size_ > kParametersMax) {
      refuse("layers", "Expected `layers` to have at most 2147483648 parameters but received more.");
    }
  }
  parameters_.resize(block_size_);
}

void Network::initialize(std::uint64_t seed) {
  parameters_.assign(block_size_, 0.0f);
  for (std::size_t index = 0; index < layers_.size(); ++index) {
    const Layer& layer = layers_[index];
    initialize_tensor(spec_.layers[index].initializer, {layer.inner, layer.outer, layer.inner, layer.outer}, seed,
                      static_cast<std::uint32_t>(index), parameters_.data() + layer.kernel);
  }
}

std::size_t Network::add_tensor(std::string name, std::vector<std::size_t> shape, bool kernel) {
  tensors_.push_back({std::move(name), std::move(shape), block_size_, kernel});
  const ParameterTensor& tensor = tensors_.back();
  block_size_ += panel_size(tensor.rows(), tensor.columns());
  parameter_count_ += tensor.size();
  return tensor.offset;
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
