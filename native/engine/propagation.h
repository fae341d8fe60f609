#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "aligned_buffer.h"
#include "examples.h"
#include "kernels.h"
#include "loss.h"
#include "network.h"
#include "thread_pool.h"

namespace millrace {

/// The even share of `count` items that falls to one member of a team.
constexpr Range share_of(std::size_t count, unsigned member, unsigned members) {
  return {count * member / members, count * (member + 1) / members};
}

/// Rows of a dataset that pass through the network together: a batch, or a part of a large one.
struct Slice {
  const std::uint32_t* order;  // source row of each row; null for `first_row` onwards
  std::size_t first_row;       // with an order: the slice's place in the epoch
  std::size_t rows;
  float weight;  // 1 / rows of the whole batch
};

/// Forward and backward passes of one slice through all layers, done by a team of threads. Every method is called by
/// all members at once. Each member owns a share of every layer's outputs (its weights, gradients and moments), so no
/// gradient is ever summed across threads.
class Propagation {
 public:
  /// `rows_max` bounds a slice. `input_error` also makes room for the gradient of the inputs.
  Propagation(Network& network, const LossSpec& loss, ThreadPool& pool, std::size_t rows_max, bool input_error);

  /// Reads this member's rows of a slice into input buffer `buffer` (0 or 1).
  void gather(unsigned member, const Examples&, const Slice&, unsigned buffer);
  /// From the inputs to the last hidden layer. With `fresh_weights` also transposes the weights for the way back.
  void forward(unsigned member, const Slice&, unsigned buffer, bool fresh_weights);
  /// Logits, outputs, loss, and the error up to the last hidden layer, for this member's rows.
  void finish(unsigned member, const Examples&, const Slice&, unsigned buffer);
  /// The gradient of `layer`'s weights, which becomes what `mode` says, for this member's share.
  void weigh(unsigned member, std::size_t layer, const Slice&, unsigned buffer, WeightGradient::Mode mode,
             const Update& update);
  /// The error at the outputs of `layer - 1`; for layer 0 the gradient of the inputs.
  void propagate(unsigned member, std::size_t layer, const Slice&, Range rows, Range panels);
  void propagate(unsigned member, std::size_t layer, const Slice&);

  /// Whether a layer's outputs are shared out by columns; then the owner of a column's weights also computes it.
  bool by_panels(std::size_t layer) const;

  /// Parameters, gradient, moments and average from the network's first parameter on. What is not needed may be null.
  void attach(const ParameterBlocks& views) { views_ = views; }

  const double* row_loss() const { return row_loss_.data(); }
  const std::uint32_t* row_correct() const { return row_correct_.data(); }
  const float* input_error() const { return input_error_.data(); }

 private:
  const float* input_of(std::size_t layer, unsigned buffer) const;
  const std::uint16_t* nonzero_of(std::size_t layer, unsigned buffer) const;
  void share_dense(unsigned member, std::size_t layer, const DenseProduct&, std::size_t rows);

  Network& network_;
  const Kernels& kernels_;
  const LossSpec loss_;
  ThreadPool& pool_;
  AlignedBuffer<float> inputs_[2];
  AlignedBuffer<std::uint16_t> nonzero_[2];  // of the inputs, as Gather tells it
  AlignedBuffer<float> logits_;
  std::vector<AlignedBuffer<float>> outputs_;     // per layer, after its activation
  std::vector<AlignedBuffer<float>> errors_;      // per layer, at its logits
  std::vector<AlignedBuffer<float>> transposed_;  // per layer, [outer, inner]
  AlignedBuffer<float> input_error_;
  std::vector<double> row_loss_;
  std::vector<std::uint32_t> row_correct_;
  ParameterBlocks views_{};
};

}  // namespace millrace
