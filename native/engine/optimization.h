#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "aligned_buffer.h"
#include "kernels.h"
#include "network.h"
#include "optimizer.h"
#include "schedule.h"
#include "thread_pool.h"

namespace millrace {

/// Added to the gradient of kernels (not of biases), as if the loss had l1 * sum |w| + l2 * sum w^2 more (Keras's L1L2):
/// g += l1 * sign(w) + 2 * l2 * w. The losses that are reported stay those of the data.
struct Regularization {
  double l1 = 0.0;
  double l2 = 0.0;
};

enum class ClippingType { kNone, kValue, kNorm, kGlobalNorm };

/// What is done to the gradient, regularisation included, before the optimizer sees it:
/// - value: each element is cut at -limit and limit
/// - norm: each tensor is scaled by limit / max(limit, its norm)  (Keras's clipnorm)
/// - global norm: all are scaled by limit / max(limit, norm of all together)  (Pascanu et al. 2013, algorithm 1)
/// PyTorch adds 1e-6 to the norm. A norm that is not finite makes the gradient NaN, so that it is seen.
struct Clipping {
  ClippingType type = ClippingType::kNone;
  double limit = 0.0;
};

/// A moving average of the weights (Polyak and Juditsky 1992): after each step average = decay * average +
/// (1 - decay) * w. It begins as the weights after the first step, as Keras's `use_ema` does.
struct Averaging {
  bool enabled = false;
  double decay = 0.0;
};

struct OptimizationSpec {
  OptimizerSpec optimizer{};
  ScheduleSpec schedule{};
  Regularization regularization{};
  Clipping clipping{};
  Averaging averaging{};
};

/// Everything an optimizer keeps between steps, and how a step is done. Moments and average are blocks in the layout of
/// the network's parameters.
class Optimization {
 public:
  struct Block {
    std::string name;
    AlignedBuffer<float> values;
  };

  Optimization(const Network& network, const OptimizationSpec& spec);

  /// Steps done.
  std::uint64_t step() const { return step_; }
  void set_step(std::uint64_t step) { step_ = step; }
  /// The learning rate of the step after `steps_done`.
  double rate_after(std::uint64_t steps_done) const { return schedule_.rate_at(steps_done, plateau_.rate); }
  /// For the plateau schedule; refuses a metric that is not finite, and other schedules.
  void observe(double metric);
  const Plateau& plateau() const { return plateau_; }
  void set_plateau(const Plateau& plateau) { plateau_ = plateau; }

  /// Moments in the optimizer's order, then the average: what a checkpoint has to hold beside weights, step and plateau.
  std::vector<Block>& blocks() { return blocks_; }
  /// The average of the weights; refuses where none is kept and before the first step.
  const AlignedBuffer<float>& average() const;

  /// Whether a step needs the whole gradient in memory, because a norm is taken of it.
  bool needs_gradient() const;
  /// The constants of the step after `steps_done`, for kernels (the tensors).
  Update update_after(std::uint64_t steps_done) const;
  /// Views on everything from the network's first parameter on.
  ParameterBlocks views(float* parameters, float* gradient);
  /// Does a step from the whole gradient in memory. Called by all members of a team at once, after a barrier; the caller
  /// meets at another one before the weights are read. The bits do not depend on the size of the team.
  void apply(unsigned member, ThreadPool& pool, const ParameterBlocks& views, const Update& update);

 private:
  /// A part of one tensor, of fixed size whatever the team: the unit of work, and of sums of squares.
  struct Chunk {
    std::size_t offset;
    std::size_t size;
    bool kernel;
    double squares;
  };
  struct Tensor {
    std::size_t first_chunk;
    std::size_t end_chunk;
  };

  double squares_of(const Tensor& tensor) const;
  float scale_for(double squares) const;

  OptimizationSpec spec_;
  Optimizer optimizer_;
  Schedule schedule_;
  Plateau plateau_;
  std::uint64_t step_ = 0;
  std::vector<Block> blocks_;
  ParameterBlocks views_{};
  std::vector<Chunk> chunks_;
  std::vector<Tensor> tensors_;
};

/// The views `by` floats further on.
ParameterBlocks moved(const ParameterBlocks& views, std::size_t by);

}  // namespace millrace
