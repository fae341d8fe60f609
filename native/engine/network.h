#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "activation.h"
#include "aligned_buffer.h"
#include "initializer.h"

namespace millrace {

struct LayerSpec {
  std::size_t units;
  Activation activation;
  Initializer initializer;
};

struct NetworkSpec {
  std::size_t inputs;
  std::vector<LayerSpec> layers;
};

/// Where one dense layer lies in the flat parameter block: `kernel` panels [inner][16] over its outputs, then `bias`.
struct Layer {
  std::size_t inner;
  std::size_t outer;
  Activation activation;
  std::size_t kernel;  // offset in floats, on a cache line
  std::size_t bias;    // offset in floats, on a cache line
};

/// One named tensor in the flat block, in panels: [rows, columns], a vector being one row.
struct ParameterTensor {
  std::string name;                // as in the files, for example `layers.0.kernel`
  std::vector<std::size_t> shape;  // one or two lengths
  std::size_t offset;              // in floats, on a cache line
  bool kernel;                     // what L1 and L2 regularisation applies to

  std::size_t rows() const { return shape.size() == 1 ? 1 : shape[0]; }
  std::size_t columns() const { return shape.back(); }
  std::size_t size() const { return rows() * columns(); }
};

/// A stack of dense layers, and one flat block with all their parameters in panels (see panel.h). Optimizers keep their
/// moments in blocks of the same layout, so that an update is one pass over parallel arrays.
class Network {
 public:
  /// Refuses a spec without layers, with a zero size, or of more than 2^31 parameters.
  explicit Network(NetworkSpec spec);

  /// Draws kernels layer by layer from (seed, layer); biases are zero.
  void initialize(std::uint64_t seed);

  const NetworkSpec& spec() const { return spec_; }
  const std::vector<Layer>& layers() const { return layers_; }
  /// In the order of the files, which is also their order in the block.
  const std::vector<ParameterTensor>& tensors() const { return tensors_; }
  std::size_t inputs() const { return spec_.inputs; }
  std::size_t outputs() const { return spec_.layers.back().units; }
  /// Trainable numbers, without padding.
  std::size_t parameter_count() const { return parameter_count_; }
  /// Floats in the flat block, with padding.
  std::size_t block_size() const { return block_size_; }
  float* parameters() { return parameters_.data(); }
  const float* parameters() const { return parameters_.data(); }

  /// Copies a block of this network's layout to `parameter_count()` floats: tensor by tensor, row-major.
  void unpack(const float* block, std::span<float> flat) const;
  void pack(std::span<const float> flat, float* block) const;

 private:
  /// Appends a tensor to the block and returns its offset.
  std::size_t add_tensor(std::string name, std::vector<std::size_t> shape, bool kernel);

  NetworkSpec spec_;
  std::vector<Layer> layers_;
  std::vector<ParameterTensor> tensors_;
  std::size_t parameter_count_ = 0;
  std::size_t block_size_ = 0;
  AlignedBuffer<float> parameters_;
};

}  // namespace millrace
