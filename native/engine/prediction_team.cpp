#include "prediction_team.h"

#include <algorithm>
#include <type_traits>

#include "cpu_quota.h"

namespace millrace {
namespace {

// About 0.25 ms on one thread: waking a helper takes a tenth of it.
constexpr std::size_t kSharedMultiplyAddsMin = 12'000'000;

template <typename Own, typename AnyNetwork>
void predict_rows(Own& own, const AnyNetwork& network, std::span<const std::byte> input, Range rows, std::span<std::byte> output) {
  const std::size_t count = rows.end - rows.begin;
  const std::size_t inputs = network.inputs() * sizeof(float), outputs = network.outputs() * sizeof(float);
  const auto from = input.subspan(rows.begin * inputs, count * inputs);
  const auto to = output.subspan(rows.begin * outputs, count * outputs);
  if constexpr (std::is_same_v<Own, Predictor>) {
    own.predict(network, from, count, to);
  } else {
    network.predict(from, count, to, own);
  }
}

PredictionTeam& team() {
  static PredictionTeam team(usable_processors());
  return team;
}

}  // namespace

PredictionTeam::PredictionTeam(unsigned threads) : memories_(threads - 1) {
  threads_.reserve(memories_.size());
  for (Memory& memory : memories_) threads_.emplace_back([this, &memory] { serve(memory); });
}

PredictionTeam::~PredictionTeam() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void PredictionTeam::predict(Predictor& own, const Network& network, std::span<const std::byte> input, std::size_t rows,
                             std::span<std::byte> output) {
  share(
      rows, [&](Memory& memory) { memory.predictor.reserve(network, Predictor::kRowsAtOnce); },
      [&](Memory* memory, Range part) {
        predict_rows(memory == nullptr ? own : memory->predictor, network, input, part, output);
      });
}

void PredictionTeam::predict(QuantizedNetwork::Scratch& own, const QuantizedNetwork& network,
                             std::span<const std::byte> input, std::size_t rows, std::span<std::byte> output) {
  share(
      rows, [&](Memory& memory) { network.reserve(memory.quantized, Predictor::kRowsAtOnce); },
      [&](Memory* memory, Range part) {
        predict_rows(memory == nullptr ? own : memory->quantized, network, input, part, output);
      });
}

void PredictionTeam::predict(PredictionGraph::Scratch& own, const PredictionGraph& graph,
                             std::span<const std::byte* const> inputs, std::size_t rows,
                             std::span<std::byte* const> outputs) {
  share(
      rows, [&](Memory& memory) { graph.reserve(memory.graph, Predictor::kRowsAtOnce); },
      [&](Memory* memory, Range part) {
        graph.predict(inputs, part, outputs, memory == nullptr ? own : memory->graph);
      });
}

void PredictionTeam::share(std::size_t rows, const std::function<void(Memory&)>& reserve, const Part& part) {
  std::unique_lock caller(caller_, std::defer_lock);
  if (threads_.empty() || rows <= Predictor::kRowsAtOnce || !caller.try_lock()) {
    part(nullptr, {0, rows});
    return;
  }
  // A helper has nobody to throw to: what may fail is done here.
  for (Memory& memory : memories_) reserve(memory);
  std::unique_lock lock(mutex_);
  part_ = &part;
  next_ = 0;
  rows_ = rows;
  const std::size_t others = (rows - 1) / Predictor::kRowsAtOnce;
  for (std::size_t helper = 0; helper < std::min(threads_.size(), others); ++helper) wake_.notify_one();
  while (next_ < rows_) {
    const Range mine = take_part();
    lock.unlock();
    part(nullptr, mine);
    lock.lock();
  }
  finished_.wait(lock, [this] { return running_ == 0; });
}

Range PredictionTeam::take_part() {
  const std::size_t first = next_;
  next_ = std::min(first + Predictor::kRowsAtOnce, rows_);
  return {first, next_};
}

void PredictionTeam::serve(Memory& memory) {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || next_ < rows_; });
    if (stopping_) return;
    const Range mine = take_part();
    ++running_;
    lock.unlock();
    (*part_)(&memory, mine);
    lock.lock();
    if (--running_ == 0) finished_.notify_one();
  }
}

void predict_on_team(Predictor& own, const Network& network, std::span<const std::byte> input, std::size_t rows,
                     std::span<std::byte> output) {
  if (rows * network.multiply_adds() < kSharedMultiplyAddsMin) {
    own.predict(network, input, rows, output);
  } else {
    team().predict(own, network, input, rows, output);
  }
}

void predict_on_team(QuantizedNetwork::Scratch& own, const QuantizedNetwork& network, std::span<const std::byte> input,
                     std::size_t rows, std::span<std::byte> output) {
  if (rows * network.multiply_adds() < kSharedMultiplyAddsMin) {
    network.predict(input, rows, output, own);
  } else {
    team().predict(own, network, input, rows, output);
  }
}

void predict_on_team(PredictionGraph::Scratch& own, const PredictionGraph& graph, std::span<const std::byte* const> inputs,
                     std::size_t rows, std::span<std::byte* const> outputs) {
  if (rows * graph.multiply_adds() < kSharedMultiplyAddsMin) {
    graph.predict(inputs, {0, rows}, outputs, own);
  } else {
    team().predict(own, graph, inputs, rows, outputs);
  }
}

}  // namespace millrace
