#include "prediction_team.h"

#include <algorithm>

#include "cpu_quota.h"

namespace millrace {
namespace {

// About 0.25 ms on one thread: waking a helper takes a tenth of it.
constexpr std::size_t kSharedMultiplyAddsMin = 12'000'000;

}  // namespace

PredictionTeam::PredictionTeam(unsigned threads) : predictors_(threads - 1) {
  threads_.reserve(predictors_.size());
  for (Predictor& predictor : predictors_) threads_.emplace_back([this, &predictor] { serve(predictor); });
}

PredictionTeam::~PredictionTeam() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void PredictionTeam::predict(Predictor& own, const Network& network, std::span<const float> input, std::size_t rows,
                             std::span<float> output) {
  const std::size_t parts = (rows + Predictor::kRowsAtOnce - 1) / Predictor::kRowsAtOnce;
  std::unique_lock caller(caller_, std::defer_lock);
  if (threads_.empty() || parts <= 1 || !caller.try_lock()) {
    own.predict(network, input, rows, output);
    return;
  }
  // A helper has nobody to throw to: what may fail is done here.
  for (Predictor& predictor : predictors_) predictor.reserve(network, Predictor::kRowsAtOnce);
  share(own, parts, [&](Predictor& predictor, std::size_t part) {
    const std::size_t first = part * Predictor::kRowsAtOnce;
    const std::size_t count = std::min(Predictor::kRowsAtOnce, rows - first);
    predictor.predict(network, input.subspan(first * network.inputs(), count * network.inputs()), count,
                      output.subspan(first * network.outputs(), count * network.outputs()));
  });
}

void PredictionTeam::share(Predictor& own, std::size_t parts, const Part& part) {
  std::unique_lock lock(mutex_);
  part_ = &part;
  next_ = 0;
  parts_ = parts;
  for (std::size_t helper = 0; helper < std::min(threads_.size(), parts - 1); ++helper) wake_.notify_one();
  while (next_ < parts_) {
    const std::size_t mine = next_++;
    lock.unlock();
    part(own, mine);
    lock.lock();
  }
  finished_.wait(lock, [this] { return running_ == 0; });
}

void PredictionTeam::serve(Predictor& predictor) {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || next_ < parts_; });
    if (stopping_) return;
    const std::size_t mine = next_++;
    ++running_;
    lock.unlock();
    (*part_)(predictor, mine);
    lock.lock();
    if (--running_ == 0) finished_.notify_one();
  }
}

void predict_on_team(Predictor& own, const Network& network, std::span<const float> input, std::size_t rows,
                     std::span<float> output) {
  if (rows * network.parameter_count() < kSharedMultiplyAddsMin) {
    own.predict(network, input, rows, output);
    return;
  }
  static PredictionTeam team(usable_processors());
  team.predict(own, network, input, rows, output);
}

}  // namespace millrace
