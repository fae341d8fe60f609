#include "optimization.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "error.h"
#include "expectation.h"
#include "panel.h"

namespace millrace {
namespace {

// Part of the result's definition, since sums of squares are taken chunk by chunk: changing it changes bits.
constexpr std::size_t kChunkSize = 4096;

float* moved(float* block, std::size_t by) { return block == nullptr ? nullptr : block + by; }

Update without_regularization(Update update) {
  update.l1 = update.l2_slope = 0.0f;
  return update;
}

}  // namespace

ParameterBlocks moved(const ParameterBlocks& views, std::size_t by) {
  ParameterBlocks result{moved(views.value, by), moved(views.gradient, by), {}, moved(views.average, by)};
  for (int index = 0; index < kMomentsMax; ++index) result.moment[index] = moved(views.moment[index], by);
  return result;
}

Optimization::Optimization(const Network& network, const OptimizationSpec& spec)
    : spec_(spec),
      optimizer_(spec.optimizer),
      schedule_(spec.schedule, spec.optimizer.learning_rate),
      plateau_(spec.schedule, spec.optimizer.learning_rate) {
  expect_not_negative("regularization.l1", spec.regularization.l1);
  expect_not_negative("regularization.l2", spec.regularization.l2);
  if (spec.clipping.type == ClippingType::kValue) expect_positive("clipping.value", spec.clipping.limit);
  if (spec.clipping.type == ClippingType::kNorm) expect_positive("clipping.norm", spec.clipping.limit);
  if (spec.clipping.type == ClippingType::kGlobalNorm) expect_positive("clipping.globalNorm", spec.clipping.limit);
  if (spec.averaging.enabled) expect_fraction("averaging.decay", spec.averaging.decay);

  const auto names = optimizer_.moment_names();
  for (int index = 0; index < kMomentsMax; ++index) {
    if (names[index] == nullptr) continue;
    blocks_.push_back({std::string("optimizer.") + names[index],
                       AlignedBuffer<float>(network.block_size(), optimizer_.initial_moment())});
    views_.moment[index] = blocks_.back().values.data();
  }
  if (spec.averaging.enabled) {
    blocks_.push_back({"average", AlignedBuffer<float>(network.block_size())});
    views_.average = blocks_.back().values.data();
  }
  for (const ParameterTensor& tensor : network.tensors()) {
    if (!tensor.trainable) continue;
    const std::size_t size = panel_size(tensor.rows(), tensor.columns());
    tensors_.push_back({chunks_.size(), chunks_.size() + (size + kChunkSize - 1) / kChunkSize});
    for (std::size_t begin = 0; begin < size; begin += kChunkSize) {
      chunks_.push_back({tensor.offset + begin, std::min(kChunkSize, size - begin), tensor.kernel, 0.0});
    }
  }
}

void Optimization::observe(double metric) {
  if (spec_.schedule.type != ScheduleType::kPlateau) {
    throw Error(ErrorCode::kFailedPrecondition, "schedule", "Only a trainer with the schedule plateau observes a metric.");
  }
  if (!std::isfinite(metric)) {
    refuse("metric", "Expected `metric` to be a finite number but received " + std::to_string(metric) + ".");
  }
  plateau_.observe(spec_.schedule, metric);
}

const AlignedBuffer<float>& Optimization::average() const {
  if (!spec_.averaging.enabled) {
    throw Error(ErrorCode::kFailedPrecondition, "averaging", "This trainer keeps no average; ask for `averaging`.");
  }
  if (step_ == 0) throw Error(ErrorCode::kFailedPrecondition, "averaging", "There is no average before the first step.");
  return blocks_.back().values;
}

bool Optimization::needs_gradient() const {
  return spec_.clipping.type == ClippingType::kNorm || spec_.clipping.type == ClippingType::kGlobalNorm;
}

Update Optimization::update_after(std::uint64_t steps_done) const {
  Update update = optimizer_.update_at(steps_done + 1, rate_after(steps_done));
  update.l1 = static_cast<float>(spec_.regularization.l1);
  update.l2_slope = static_cast<float>(2.0 * spec_.regularization.l2);
  if (spec_.clipping.type == ClippingType::kValue) update.clip_value = static_cast<float>(spec_.clipping.limit);
  const double kept = steps_done == 0 ? 0.0 : spec_.averaging.decay;
  update.average_kept = static_cast<float>(kept);
  update.average_added = static_cast<float>(1.0 - kept);
  update.plain = update.plain && update.l1 == 0.0f && update.l2_slope == 0.0f &&
                 spec_.clipping.type == ClippingType::kNone && !spec_.averaging.enabled;
  return update;
}

ParameterBlocks Optimization::views(float* parameters, float* gradient) {
  ParameterBlocks views = views_;
  views.value = parameters;
  views.gradient = gradient;
  return views;
}

double Optimization::squares_of(const Tensor& tensor) const {
  double sum = 0.0;
  for (std::size_t chunk = tensor.first_chunk; chunk < tensor.end_chunk; ++chunk) sum += chunks_[chunk].squares;
  return sum;
}

float Optimization::scale_for(double squares) const {
  if (!std::isfinite(squares)) return std::numeric_limits<float>::quiet_NaN();
  return static_cast<float>(spec_.clipping.limit / std::max(spec_.clipping.limit, std::sqrt(squares)));
}

void Optimization::apply(unsigned member, ThreadPool& pool, const ParameterBlocks& views, const Update& update) {
  const Kernels& run = kernels();
  const Range mine = share_of(chunks_.size(), member, pool.size());
  const Update spared = without_regularization(update);
  if (!needs_gradient()) {
    for (std::size_t index = mine.begin; index < mine.end; ++index) {
      const Chunk& chunk = chunks_[index];
      run.update(moved(views, chunk.offset), chunk.kernel ? update : spared, chunk.size);
    }
    return;
  }
  for (std::size_t index = mine.begin; index < mine.end; ++index) {
    Chunk& chunk = chunks_[index];
    chunk.squares = run.regularize(moved(views, chunk.offset), chunk.kernel ? update : spared, chunk.size);
  }
  pool.synchronize();
  // Every member adds the squares itself, in the same order.
  double all = 0.0;
  for (const Tensor& tensor : tensors_) all += squares_of(tensor);
  Update scaled = spared;
  for (const Tensor& tensor : tensors_) {
    const std::size_t begin = std::max(mine.begin, tensor.first_chunk);
    const std::size_t end = std::min(mine.end, tensor.end_chunk);
    if (begin >= end) continue;
    scaled.gradient_scale = scale_for(spec_.clipping.type == ClippingType::kGlobalNorm ? all : squares_of(tensor));
    for (std::size_t index = begin; index < end; ++index) {
      run.update(moved(views, chunks_[index].offset), scaled, chunks_[index].size);
    }
  }
}

}  // namespace millrace
