#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "network.h"

namespace millrace {

/// Turns a spec into operations and tensors. Refuses what does not fit, naming the layer.
class NetworkBuilder {
 public:
  explicit NetworkBuilder(const NetworkSpec& spec);

  std::vector<Operation> operations;
  std::vector<ParameterTensor> tensors;
  std::size_t parameter_count = 0;
  std::size_t trainable_size = 0;
  std::size_t block_size = 0;

 private:
  void add_layers(const std::vector<LayerSpec>& layers, const std::string& prefix);
  void add_layer(const LayerSpec& layer, const std::string& name);
  void add_dense(const LayerSpec& layer, Operation operation);
  void add_normalization(const LayerSpec& layer, Operation operation);
  void add_residual(const LayerSpec& layer, Operation operation);
  void add_embedding(const LayerSpec& layer, Operation operation);
  void add_activation(const Operation& like, Activation activation, float parameter);
  void push(Operation operation);
  /// Appends a tensor and returns its index; offsets are given at the end.
  std::size_t add_tensor(const std::string& name, std::vector<std::size_t> shape, Initializer initializer,
                         bool kernel = false, bool trainable = true);
  void place_tensors();

  std::size_t value_ = 0;    // the newest
  std::size_t width_ = 0;    // its columns
  std::size_t ordinal_ = 0;  // of the layer being added
};

}  // namespace millrace
