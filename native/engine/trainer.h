#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "aligned_buffer.h"
#include "examples.h"
#include "loss.h"
#include "network.h"
#include "optimization.h"
#include "propagation.h"
#include "sampler.h"
#include "team_size.h"
#include "thread_pool.h"

namespace millrace {

struct TrainerOptions {
  LossSpec loss{Loss::kMeanSquaredError};
  OptimizationSpec optimization;
  std::size_t batch_size;  // 0: all examples, one step an epoch
  std::uint64_t seed;
  unsigned threads;  // 0: as many as the process may use
  SamplingOptions sampling{};
  std::vector<AugmentationSpec> augmentations{};  // of what is trained on, not of what is evaluated
};

/// Sums over the examples seen so far in an epoch. `accuracy` is only meaningful where the loss has one.
struct EpochTotals {
  std::uint64_t step = 0;   // steps done in this epoch
  std::uint64_t steps = 0;  // steps an epoch has
  std::uint64_t examples = 0;
  double loss = 0.0;      // mean
  double accuracy = 0.0;  // share of right answers, as the weights were when each batch came
  double seconds = 0.0;
  double learning_rate = 0.0;  // of the last step
};

/// Where a trainer stands: after `step` steps of `epoch`, with the sums over the rows seen in it. Beside weights,
/// moments and the number of all steps it is what makes going on exact; between epochs `step` is 0.
struct EpochPosition {
  std::uint64_t epoch = 0;
  std::uint64_t step = 0;
  // Of the examples that the epoch was begun with; 0 before the first step.
  std::uint64_t rows = 0;
  std::uint64_t batch_rows = 0;
  double loss_sum = 0.0;
  std::uint64_t correct = 0;

  std::uint64_t examples() const { return std::min(step * batch_rows, rows); }
  std::uint64_t steps() const { return batch_rows == 0 ? 0 : (rows + batch_rows - 1) / batch_rows; }
};

struct EpochRequest {
  std::uint32_t epoch;  // its order depends on the trainer's seed and this number only
  double progress_interval_seconds;
  std::function<void(const EpochTotals&)> on_progress;  // on the training thread; may be empty
  const std::atomic<bool>* cancelled;
  std::uint64_t steps_max = std::numeric_limits<std::uint64_t>::max();  // of this call
};

struct Evaluation {
  double loss;
  double accuracy;
  std::vector<std::int32_t> confusion;  // [classes, classes], row = truth; empty where the loss has no classes
};

struct Gradients {
  double loss;
  AlignedBuffer<float> parameters;  // in the layout of the network's block
  std::vector<float> inputs;        // row-major [rows, inputs]
};

/// Owns the epoch loop: samples, gathers, propagates, updates. Not for use by two threads at once.
class Trainer {
 public:
  /// Rows that pass through the network at once. A larger batch is done in parts whose gradients are added, so that the
  /// memory for activations does not grow with it. Part of the result's definition: changing it changes bits.
  static constexpr std::size_t kSliceRows = 256;

  Trainer(std::shared_ptr<Network> network, const TrainerOptions& options);

  /// One pass over all examples in a seeded order, or the rest of one: where the trainer stands in the midst of the
  /// requested epoch it goes on from there, otherwise it begins that epoch. Ends early after `steps_max` steps. Throws
  /// kCancelled with everything as it was after the last full step, and kDiverged with everything as it was at the call;
  /// refuses to go on with examples of another number of rows.
  EpochTotals train_epoch(const Examples&, const EpochRequest&);
  /// Loss and accuracy over all examples, in their order; weights are not changed.
  Evaluation evaluate(const Examples&);
  /// The gradient of the mean loss over all examples as one batch, with respect to parameters and inputs. With
  /// `training` dropout drops and batch normalisation takes the batch's statistics, otherwise as for prediction.
  Gradients gradients(const Examples&, bool training);
  /// For each example the norm of the gradient of its own loss with respect to all parameters, as for prediction.
  std::vector<double> gradient_norms(const Examples&);

  Network& network() { return *network_; }
  Optimization& optimization() { return optimization_; }
  const TrainerOptions& options() const { return options_; }
  unsigned threads() const { return threads_; }
  std::uint64_t step() const { return optimization_.step(); }
  const EpochPosition& position() const { return position_; }
  /// Refuses what is no position.
  void set_position(const EpochPosition&);

 private:
  struct Run;

  /// Everything that a step changes.
  struct State {
    AlignedBuffer<float> parameters;
    std::vector<Optimization::Block> blocks;
    std::uint64_t step = 0;
    EpochPosition position;
  };

  void prepare(std::size_t batch_rows);
  void stand_in(std::uint32_t epoch, std::size_t rows, std::size_t batch_rows);
  void keep_good_state();
  void go_back();
  EpochTotals totals() const;
  /// Rows that pass through the network at once, of a batch of so many.
  std::size_t slice_rows(std::size_t batch_rows) const;
  void run_member(unsigned member, Run& run);
  void gather(unsigned member, const Examples&, const Slice&, unsigned buffer);
  void report(Run& run, bool force);

  std::shared_ptr<Network> network_;
  TrainerOptions options_;
  Optimization optimization_;
  unsigned threads_;
  EpochPosition position_;
  State good_;  // as the last call of train_epoch began
  // Made by the first epoch: a trainer that only evaluates or waits holds no threads.
  std::unique_ptr<ThreadPool> pool_;
  TeamSize team_;
  std::unique_ptr<Propagation> propagation_;
  std::size_t propagation_rows_ = 0;
  AlignedBuffer<float> gradient_;
  Sampler sampler_;
  Augmenter augmenter_;
  std::vector<std::uint32_t> order_[2];  // source rows of the slice in each input buffer
};

}  // namespace millrace
