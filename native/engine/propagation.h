#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "examples.h"
#include "kernels.h"
#include "layers/layer.h"
#include "loss.h"
#include "network.h"
#include "thread_pool.h"

namespace millrace {

/// Forward and backward passes of one slice through all layers, done by a team of threads. Every method is called by
/// all members at once. A parameter's gradient and moments belong to one member, so no gradient is ever summed across
/// threads.
///
/// The last dense layer and all that follows it (unless whole columns are needed) are the tail: there each member takes
/// its own rows to the loss and back without meeting the others.
class Propagation {
 public:
  /// `rows_max` bounds a slice. `input_error` also makes room for the gradient of the inputs.
  Propagation(Network& network, const LossSpec& loss, ThreadPool& pool, std::size_t rows_max, bool input_error,
              std::uint64_t seed);

  /// Reads this member's rows of a slice into input buffer `buffer` (0 or 1), changed by an augmenter unless that is null.
  void gather(unsigned member, const Examples&, const Slice&, unsigned buffer, const Augmenter* augmenter = nullptr);
  /// From the inputs to the tail. With `fresh_weights` also copies what the way back reads.
  void forward(unsigned member, const Slice&, unsigned buffer, bool fresh_weights);
  /// Through the tail, the loss and back to where the tail begins, for this member's rows.
  void finish(unsigned member, const Examples&, const Slice&, unsigned buffer);
  /// From there to the inputs; every gradient becomes what `mode` says. With `settle` the step counts, and moving
  /// statistics follow it. The team has met when this returns, unless the next forward pass needs no meeting.
  void backward(unsigned member, const Slice&, unsigned buffer, WeightGradient::Mode mode, const Update& update,
                bool settle);
  /// In place of `backward`: only the errors, and for each row the squared norm of its own gradient.
  void measure(const Slice&, unsigned buffer, double* squared_norms);

  /// Gradients and moments in the layout of the network's parameters.
  void attach(const ParameterBlocks& blocks) { blocks_ = blocks; }

  ParameterBlocks blocks_at(std::size_t offset) const { return moved(blocks_, offset); }

  /// The name of the first layer with a result that is not finite; empty if there is none.
  std::string first_not_finite(const Slice&);

  const double* row_loss() const { return row_loss_.data(); }
  const std::uint32_t* row_correct() const { return row_correct_.data(); }
  const float* input_error() { return values_.error(0); }

 private:
  void run_forward(unsigned member, Layer&, const Slice&, unsigned buffer);
  void run_backward(unsigned member, Layer&, const Slice&, unsigned buffer);
  bool needs_backward(const Layer&) const;

  Network& network_;
  const Kernels& kernels_;
  const LossSpec loss_;
  ThreadPool& pool_;
  Values values_;
  ParameterBlocks blocks_{};
  std::vector<std::unique_ptr<Layer>> layers_;
  std::size_t tail_;  // the operation it begins with
  std::vector<double> row_loss_;
  std::vector<std::uint32_t> row_correct_;
};

}  // namespace millrace
