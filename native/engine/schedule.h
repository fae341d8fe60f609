#pragma once

#include <cstdint>

namespace millrace {

enum class ScheduleType { kConstant, kStep, kExponential, kPolynomial, kCosine, kOneCycle, kPlateau };

/// What a caller asks for. Fields that a type does not use are ignored. Rates are absolute.
struct ScheduleSpec {
  ScheduleType type = ScheduleType::kConstant;
  std::uint64_t warmup_steps = 0;
  std::uint64_t steps = 1;
  double factor = 1.0;
  bool staircase = false;
  double end_rate = 0.0;
  double power = 1.0;
  bool cycle = false;
  double alpha = 0.0;
  bool restarts = false;
  double length_factor = 1.0;
  double rate_factor = 1.0;
  double maximum_rate = 0.0;
  double rising_share = 0.0;
  double initial_divisor = 1.0;
  double final_divisor = 1.0;
  bool linear = false;
  bool three_phases = false;
  std::uint64_t patience = 0;
  double minimum_delta = 0.0;
  std::uint64_t cooldown = 0;
  double minimum_rate = 0.0;
  bool rising = false;
};

/// The learning rate of a step as a pure function of the steps done before it, s = 0, 1, ..., in doubles; r is the
/// optimizer's learning rate, n is `steps`.
/// - constant: r
/// - step: r * factor^floor(s / n)  (PyTorch's StepLR)
/// - exponential: r * factor^(s / n), the exponent rounded down with `staircase`  (Keras's ExponentialDecay)
/// - polynomial: (r - end) * (1 - min(s, n) / n)^power + end; with `cycle` n grows to the next multiple of n instead of
///   s being held  (Keras's PolynomialDecay)
/// - cosine (Loshchilov and Hutter 2017): r * ((1 - alpha) * (1 + cos(pi * min(s, n) / n)) / 2 + alpha). With `restarts`
///   the cosine begins again after n, n * length_factor, n * length_factor^2, ... steps, each time rate_factor as high
///   (Keras's CosineDecay and CosineDecayRestarts)
/// - one cycle (Smith and Topin 2018): from maximum / initial_divisor to maximum within rising_share of n, then to
///   maximum / initial_divisor / final_divisor at step n - 1, and held there; in cosines or lines. With `three_phases`
///   it falls as long as it rose, then to the end. (PyTorch's OneCycleLR, momentum untouched; r is not used)
/// - plateau: r until `Plateau` says otherwise.
/// During the first w = warmup_steps the rate rises in a line from 0 to that of the schedule's step 0, r0 * s / w, as
/// Keras's warm-up does; the schedule begins after them.
class Schedule {
 public:
  /// `learning_rate` is the optimizer's. Refuses what no rate can be computed from.
  Schedule(const ScheduleSpec& spec, double learning_rate);

  const ScheduleSpec& spec() const { return spec_; }
  double rate_at(std::uint64_t step) const;
  /// The same for a plateau that has come down to `plateau_rate`.
  double rate_at(std::uint64_t step, double plateau_rate) const;

 private:
  double cosine_at(double step) const;
  double one_cycle_at(double step) const;
  double unwarmed(double step, double initial) const;

  ScheduleSpec spec_;
  double learning_rate_;
};

/// Lowers the rate when a metric stops getting better, as Keras's ReduceLROnPlateau: after `patience` observations in a
/// row that are not better than the best by more than `minimum_delta`, rate = max(rate * factor, minimum_rate), and
/// `cooldown` observations pass without being counted. Better is smaller, or larger if `rising`.
struct Plateau {
  double rate;
  double best;  // infinite, of the worse sign, before the first observation
  std::uint64_t waited = 0;
  std::uint64_t cooling = 0;

  Plateau(const ScheduleSpec& spec, double learning_rate);
  void observe(const ScheduleSpec& spec, double metric);
};

}  // namespace millrace
