#include "trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>
#include <utility>

#include "cpu_quota.h"
#include "error.h"
#include "panel.h"

namespace millrace {

using Clock = std::chrono::steady_clock;

namespace {

constexpr unsigned kThreadsMax = 256;
// How long the team works before it is asked whether it has the right size: several times the scheduler's time slice.
constexpr double kTurnSeconds = 0.02;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

unsigned chosen_threads(unsigned asked) {
  if (asked > kThreadsMax) {
    refuse("threads", "Expected `threads` to be at most " + std::to_string(kThreadsMax) + " but received " +
                          std::to_string(asked) + ".");
  }
  return asked == 0 ? std::min(usable_processors(), kThreadsMax) : asked;
}

/// The slices of an epoch in order: batch by batch, each batch in parts of at most `slice_rows`.
class Slices {
 public:
  /// At most `steps` batches from batch `first` on. `step` counts over all epochs.
  Slices(std::size_t rows, std::size_t batch_rows, std::size_t slice_rows, std::uint64_t step, std::size_t first,
         std::size_t steps)
      : rows_(rows),
        batch_rows_(batch_rows),
        slice_rows_(slice_rows),
        step_(step),
        begin_(first * batch_rows),
        batch_begin_(begin_),
        end_(steps > rows / batch_rows ? rows : std::min(rows, begin_ + steps * batch_rows)) {}

  bool done() const { return begin_ >= end_; }
  std::size_t batch_end() const { return std::min(batch_begin_ + batch_rows_, rows_); }
  bool first_of_batch() const { return begin_ == batch_begin_; }
  bool last_of_batch() const { return begin_ + count() == batch_end(); }
  /// `order` is where its source rows will be.
  Slice slice(const std::vector<std::uint32_t>& order) const {
    const float weight = 1.0f / static_cast<float>(batch_end() - batch_begin_);
    return {order.data(), begin_, count(), weight, begin_ - batch_begin_, step_, true};
  }
  void advance() {
    begin_ += count();
    if (begin_ != batch_end()) return;
    batch_begin_ = begin_;
    ++step_;
  }

 private:
  std::size_t count() const { return std::min(slice_rows_, batch_end() - begin_); }

  std::size_t rows_;
  std::size_t batch_rows_;
  std::size_t slice_rows_;
  std::uint64_t step_;
  std::size_t begin_;
  std::size_t batch_begin_;
  std::size_t end_;
};

}  // namespace

/// What the members of the team share during one epoch. Slices are numbered; a step is one or more slices.
struct Trainer::Run {
  const Examples& examples;
  const EpochRequest& request;
  Clock::time_point start;
  Clock::time_point reported;
  // Written by member 0 before a barrier, read by all after it.
  bool stop = false;
  bool diverged = false;
  std::string culprit{};  // the first layer with a result that is not finite, if any
  bool turn_over = false;
  // Where the next turn begins.
  Clock::time_point turn_start;
  Slices slices;
  unsigned buffer = 0;
  bool gathered = false;

  bool over() const { return stop || diverged || slices.done(); }
};

Trainer::Trainer(std::shared_ptr<Network> network, const TrainerOptions& options)
    : network_(std::move(network)),
      options_(options),
      optimization_(*network_, options.optimization),
      threads_(chosen_threads(options.threads)),
      team_(threads_),
      sampler_(options.sampling, options.seed),
      augmenter_(options.augmentations, options.seed) {
  expect_matching(options.loss, network_->last_activation(), network_->outputs());
}

void Trainer::prepare(std::size_t batch_rows) {
  if (!pool_) pool_ = std::make_unique<ThreadPool>(threads_);
  const std::size_t rows = slice_rows(batch_rows);
  if (!propagation_ || propagation_rows_ < rows) {
    propagation_ = std::make_unique<Propagation>(*network_, options_.loss, *pool_, rows, false, options_.seed);
    propagation_rows_ = rows;
    for (std::vector<std::uint32_t>& order : order_) order.resize(rows);
  }
  const bool whole = batch_rows > rows || optimization_.needs_gradient();
  if (whole && gradient_.empty()) gradient_.resize(network_->block_size());
  propagation_->attach(optimization_.views(network_->parameters(), gradient_.empty() ? nullptr : gradient_.data()));
}

std::size_t Trainer::slice_rows(std::size_t batch_rows) const {
  return network_->needs_whole_batches() ? batch_rows : std::min(batch_rows, kSliceRows);
}

EpochTotals Trainer::train_epoch(const Examples& examples, const EpochRequest& request) {
  const std::size_t batch_rows =
      options_.batch_size == 0 ? examples.rows : std::min(options_.batch_size, examples.rows);
  prepare(batch_rows);
  const Clock::time_point start = Clock::now();
  const auto* labels = examples.target_classes ? static_cast<const std::int32_t*>(examples.targets) : nullptr;
  sampler_.begin({examples.rows, batch_rows, labels, network_->outputs()}, request.epoch);
  augmenter_.begin(examples.features, request.epoch);
  stand_in(request.epoch, examples.rows, batch_rows);
  Run run{.examples = examples,
          .request = request,
          .start = start,
          .reported = start,
          .turn_start = start,
          .slices = Slices(examples.rows, batch_rows, slice_rows(batch_rows), optimization_.step(), position_.step, request.steps_max)};
  keep_good_state();
  while (!run.over()) {
    const double waited = pool_->waited_seconds();
    const auto rows = static_cast<double>(position_.examples());
    pool_->run(team_.members(), [&](unsigned member) { run_member(member, run); });
    team_.record(static_cast<double>(position_.examples()) - rows, seconds_since(run.turn_start),
                 pool_->waited_seconds() - waited);
    run.turn_start = Clock::now();
  }
  const std::uint64_t step = position_.step + 1, steps = position_.steps();
  if (run.diverged) go_back();
  network_->fold();
  if (run.diverged) {
    throw Error(ErrorCode::kDiverged, "",
                "The loss is no longer a finite number" +
                    (run.culprit.empty() ? "" : " (first in layer `" + run.culprit + "`)") + " in epoch " +
                    std::to_string(request.epoch) + ", step " + std::to_string(step) + " of " + std::to_string(steps) + "; weights and optimizer are again as in epoch " +
                    std::to_string(position_.epoch) + " after step " + std::to_string(position_.step) +
                    ". Lower the learning rate or check the data.");
  }
  if (run.stop) {
    throw Error(ErrorCode::kCancelled, "",
                "The training was cancelled in epoch " + std::to_string(request.epoch) + " after step " +
                    std::to_string(position_.step) + " of " + std::to_string(position_.steps()) + ".");
  }
  EpochTotals result = totals();
  result.seconds = seconds_since(start);
  if (result.step == result.steps) position_ = {.epoch = position_.epoch + 1};
  return result;
}

void Trainer::stand_in(std::uint32_t epoch, std::size_t rows, std::size_t batch_rows) {
  if (position_.epoch != epoch || position_.step == 0) {
    position_ = {.epoch = epoch, .rows = rows, .batch_rows = batch_rows};
    return;
  }
  if (position_.rows == rows && position_.batch_rows == batch_rows) return;
  throw Error(ErrorCode::kFailedPrecondition, "examples",
              "Expected `examples` to have the " + std::to_string(position_.rows) + " rows, in batches of " +
                  std::to_string(position_.batch_rows) + ", that epoch " + std::to_string(epoch) +
                  " was begun with, of which " + std::to_string(position_.step) + " steps are done, but received " +
                  std::to_string(rows) + " in batches of " + std::to_string(batch_rows) + ".");
}

void Trainer::set_position(const EpochPosition& position) {
  const bool between = position.step == 0;
  const bool within = position.rows > 0 && position.batch_rows > 0 && position.batch_rows <= position.rows &&
                      position.step < position.steps() && std::isfinite(position.loss_sum);
  if (!between && !within) refuse("position", "Expected `position` to lie within an epoch.");
  position_ = between ? EpochPosition{.epoch = position.epoch} : position;
}

void Trainer::keep_good_state() {
  good_.parameters.assign(network_->parameters(), network_->parameters() + network_->block_size());
  good_.blocks = optimization_.blocks();
  good_.step = optimization_.step();
  good_.position = position_;
}

void Trainer::go_back() {
  std::copy(good_.parameters.begin(), good_.parameters.end(), network_->parameters());
  // Copied, not moved: the kernels hold pointers to the moments.
  for (std::size_t i = 0; i < good_.blocks.size(); ++i) {
    const AlignedBuffer<float>& good = good_.blocks[i].values;
    std::copy(good.begin(), good.end(), optimization_.blocks()[i].values.begin());
  }
  optimization_.set_step(good_.step);
  position_ = good_.position;
}

EpochTotals Trainer::totals() const {
  const auto rows = static_cast<double>(position_.examples());
  const auto answers = static_cast<double>(answers_per_row(options_.loss.type, network_->outputs()));
  return {.step = position_.step,
          .steps = position_.steps(),
          .examples = position_.examples(),
          .loss = position_.loss_sum / rows,
          .accuracy = static_cast<double>(position_.correct) / (rows * answers),
          .learning_rate = optimization_.rate_after(std::max<std::uint64_t>(optimization_.step(), 1) - 1)};
}

void Trainer::run_member(unsigned member, Run& run) {
  Propagation& pass = *propagation_;
  Slices slices = run.slices;
  std::uint64_t step = optimization_.step();
  unsigned buffer = run.buffer;
  if (!run.gathered) gather(member, run.examples, slices.slice(order_[buffer]), buffer);
  pool_->synchronize();
  bool turn_over = false;
  double batch_loss = 0.0;
  std::uint64_t batch_correct = 0;
  while (!slices.done() && !turn_over) {
    const Slice slice = slices.slice(order_[buffer]);
    const bool first = slices.first_of_batch();
    const bool last = slices.last_of_batch();
    slices.advance();
    pass.forward(member, slice, buffer, first);
    pass.finish(member, run.examples, slice, buffer);
    if (member == 0) {
      run.stop = run.request.cancelled != nullptr && run.request.cancelled->load();
      run.turn_over = seconds_since(run.turn_start) > kTurnSeconds;
    }
    pool_->synchronize();
    // Every member adds the rows' losses itself, in the same order, and so comes to the same decision.
    for (std::size_t row = 0; row < slice.rows; ++row) batch_loss += pass.row_loss()[row];
    for (std::size_t row = 0; row < slice.rows; ++row) batch_correct += pass.row_correct()[row];
    if (!std::isfinite(batch_loss)) {
      if (member == 0) {
        run.diverged = true;
        run.culprit = pass.first_not_finite(slice);
      }
      break;
    }
    if (run.stop) break;
    turn_over = run.turn_over && last;
    if (!slices.done()) gather(member, run.examples, slices.slice(order_[buffer ^ 1]), buffer ^ 1);
    const bool at_once = first && last && !optimization_.needs_gradient();
    const auto mode = at_once ? WeightGradient::Mode::kUpdate
                      : first ? WeightGradient::Mode::kStore
                              : WeightGradient::Mode::kAdd;
    const Update update = optimization_.update_after(step);
    pass.backward(member, slice, buffer, mode, update, true);
    buffer ^= 1;
    if (!last) continue;
    if (mode != WeightGradient::Mode::kUpdate) {
      pool_->synchronize();
      optimization_.apply(member, *pool_, optimization_.views(network_->parameters(), gradient_.data()), update);
      pool_->synchronize();
    }
    ++step;
    if (member == 0) {
      position_.loss_sum += batch_loss;
      position_.correct += batch_correct;
      ++position_.step;
      optimization_.set_step(step);
      report(run, slices.done());
    }
    batch_loss = 0.0;
    batch_correct = 0;
  }
  if (member != 0) return;
  run.slices = slices;
  run.buffer = buffer;
  run.gathered = true;
}

// Each member finds out the source rows of its own share, which are also the ones it reads and takes the loss of.
void Trainer::gather(unsigned member, const Examples& examples, const Slice& slice, unsigned buffer) {
  const Range rows = share_of(slice.rows, member, pool_->size());
  sampler_.fill(slice.first_row + rows.begin, rows.end - rows.begin, order_[buffer].data() + rows.begin);
  // The loss wants their targets after the forward pass, from anywhere in memory.
  const std::size_t target_bytes = 4 * (examples.target_classes ? 1 : network_->outputs());
  for (std::size_t row = rows.begin; row < rows.end; ++row) {
    __builtin_prefetch(static_cast<const char*>(examples.targets) + order_[buffer][row] * target_bytes);
  }
  propagation_->gather(member, examples, slice, buffer, augmenter_.idle() ? nullptr : &augmenter_);
}

void Trainer::report(Run& run, bool force) {
  if (!run.request.on_progress) return;
  const Clock::time_point now = Clock::now();
  const double since = std::chrono::duration<double>(now - run.reported).count();
  if (!force && since < run.request.progress_interval_seconds) return;
  run.reported = now;
  EpochTotals progress = totals();
  progress.seconds = std::chrono::duration<double>(now - run.start).count();
  run.request.on_progress(progress);
}

Gradients Trainer::gradients(const Examples& examples, bool training) {
  // On the calling thread alone: the bits are the same for every team.
  ThreadPool alone(1);
  const std::size_t inputs = network_->inputs();
  const std::size_t rows = slice_rows(examples.rows);
  Gradients result{0.0, AlignedBuffer<float>(network_->block_size()), std::vector<float>(examples.rows * inputs)};
  Propagation pass(*network_, options_.loss, alone, rows, true, options_.seed);
  pass.attach({network_->parameters(), result.parameters.data(), {}, nullptr});
  alone.run([&](unsigned member) {
    for (std::size_t first = 0; first < examples.rows; first += rows) {
      const Slice slice{nullptr, first, std::min(rows, examples.rows - first),
                        1.0f / static_cast<float>(examples.rows), first, optimization_.step(), training};
      pass.gather(member, examples, slice, 0);
      pass.forward(member, slice, 0, true);
      pass.finish(member, examples, slice, 0);
      const auto mode = first == 0 ? WeightGradient::Mode::kStore : WeightGradient::Mode::kAdd;
      pass.backward(member, slice, 0, mode, Update{}, false);
      for (std::size_t row = 0; row < slice.rows; ++row) {
        result.loss += pass.row_loss()[row];
        for (std::size_t column = 0; column < inputs; ++column) {
          result.inputs[(first + row) * inputs + column] =
              pass.input_error()[panel_offset(slice.rows, row, column)];
        }
      }
    }
  });
  result.loss /= static_cast<double>(examples.rows);
  return result;
}

std::vector<double> Trainer::gradient_norms(const Examples& examples) {
  ThreadPool alone(1);
  std::vector<double> norms(examples.rows);
  Propagation pass(*network_, options_.loss, alone, std::min(examples.rows, kSliceRows), false, options_.seed);
  alone.run([&](unsigned member) {
    for (std::size_t first = 0; first < examples.rows; first += kSliceRows) {
      const Slice slice{nullptr, first, std::min(kSliceRows, examples.rows - first), 1.0f, first, optimization_.step(), false};
      pass.gather(member, examples, slice, 0);
      pass.forward(member, slice, 0, true);
      pass.finish(member, examples, slice, 0);
      pass.measure(slice, 0, norms.data() + first);
    }
  });
  for (double& norm : norms) norm = std::sqrt(norm);
  return norms;
}

}  // namespace millrace
