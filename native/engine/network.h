#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "activation.h"
#include "initializer.h"
#include "operation.h"
#include "parameter_block.h"
#include "prediction_plan.h"

namespace millrace {

enum class LayerType {
  kDense,
  kActivation,
  kPrelu,
  kDropout,
  kBatchNormalization,
  kLayerNormalization,
  kResidual,
  kEmbedding,
};

/// What a caller asks for. Fields that a type does not use are ignored. The formulas are in engine/layers.
struct LayerSpec {
  LayerType type = LayerType::kDense;
  std::size_t units = 0;
  Activation activation = Activation::kLinear;
  float parameter = 0.0f;  // of the activation
  bool use_bias = true;
  Initializer kernel_initializer{};  // also of embeddings and of PReLU's alpha
  Initializer bias_initializer{};
  float rate = 0.0f;
  float momentum = 0.0f;
  float epsilon = 0.0f;
  std::vector<LayerSpec> layers;        // of a residual block
  std::vector<EmbeddingTable> tables;
};

struct NetworkSpec {
  std::size_t inputs;
  std::vector<LayerSpec> layers;
};

/// One named tensor in the flat block, in panels: [rows, columns], a vector being one row.
struct ParameterTensor {
  std::string name;                // as in the files, for example `layers.0.kernel`
  std::vector<std::size_t> shape;  // one or two lengths
  std::size_t offset;              // in floats, on a cache line
  bool trainable;                  // false: moving statistics, which no optimizer touches
  bool kernel;                     // what L1 and L2 regularisation applies to
  Initializer initializer;
  std::uint32_t stream;            // of the random numbers it is drawn from

  std::size_t rows() const { return shape.size() == 1 ? 1 : shape[0]; }
  std::size_t columns() const { return shape.back(); }
  std::size_t size() const { return rows() * columns(); }
};

/// A network as the list of its operations, and one flat block with all its parameters in panels (see panel.h).
/// Optimizers keep their moments in blocks of the same layout, so that an update is one pass over parallel arrays.
class Network {
 public:
  /// With `kNone` there are no parameters until they are adopted.
  enum class Memory { kZeros, kNone };

  /// Refuses a spec without layers, with a zero size, of more than 2^31 parameters, or whose layers do not fit.
  explicit Network(NetworkSpec spec, Memory memory = Memory::kZeros);

  /// Draws every tensor from (seed, its stream) with its initializer.
  void initialize(std::uint64_t seed);

  const NetworkSpec& spec() const { return spec_; }
  /// In the order of computation. The last layer's activation is always an operation of its own, so that losses can
  /// see its input.
  const std::vector<Operation>& operations() const { return operations_; }
  std::size_t width(std::size_t value) const { return value == 0 ? spec_.inputs : operations_[value - 1].outer; }
  /// The activation that makes the outputs, linear if there is none.
  Activation last_activation() const;
  /// The value that goes into the last activation.
  std::size_t logits() const;

  const PredictionPlan& prediction() const { return prediction_; }
  /// That a prediction takes for one row.
  std::size_t multiply_adds() const { return prediction_.multiply_adds(); }
  /// The parameters that the plan's operations read.
  const float* prediction_parameters() const { return prediction_.parameters(parameters_.data()); }
  /// Brings folded parameters up to date. To be called after every change of the parameters, before predictions.
  void fold() { prediction_.fold(parameters_.data()); }

  /// Whether an example's result depends on the other examples of its batch while training, which forbids parts.
  bool needs_whole_batches() const;

  /// In the order of the files. In the block those that are not trainable come last.
  const std::vector<ParameterTensor>& tensors() const { return tensors_; }
  /// Of the embedding that the network begins with, if any.
  const std::vector<EmbeddingTable>& tables() const { return operations_.front().tables; }
  std::size_t inputs() const { return spec_.inputs; }
  std::size_t outputs() const { return operations_.back().outer; }
  /// Numbers in the files, without padding.
  std::size_t parameter_count() const { return parameter_count_; }
  /// Floats in the flat block, with padding.
  std::size_t block_size() const { return block_size_; }
  /// Floats at the beginning of the block that optimizers change.
  std::size_t trainable_size() const { return trainable_size_; }
  /// Memory of all that predictions read.
  std::size_t bytes() const { return block_size_ * sizeof(float) + prediction_.folded_size() * sizeof(float); }
  const ParameterBlock& block() const { return parameters_; }
  /// Takes blocks of this network's layout for its own; the second holds what `fold` would make, or nothing.
  void adopt(ParameterBlock parameters, ParameterBlock folded) {
    parameters_ = std::move(parameters);
    prediction_.adopt(std::move(folded));
  }
  float* parameters() { return parameters_.data(); }
  const float* parameters() const { return parameters_.data(); }

  /// Copies a block of this network's layout to `parameter_count()` floats: tensor by tensor, row-major.
  void unpack(const float* block, std::span<float> flat) const;
  void pack(std::span<const float> flat, float* block) const;

 private:
  NetworkSpec spec_;
  std::vector<Operation> operations_;
  std::vector<ParameterTensor> tensors_;
  std::size_t parameter_count_ = 0;
  std::size_t trainable_size_ = 0;
  std::size_t block_size_ = 0;
  ParameterBlock parameters_;
  PredictionPlan prediction_;
};

}  // namespace millrace
