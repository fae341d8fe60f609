#include "schedule.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <string>

#include "error.h"
#include "expectation.h"

namespace millrace {
namespace {

constexpr double kPi = std::numbers::pi;

void expect_steps(std::uint64_t steps, std::uint64_t lowest) {
  if (steps >= lowest) return;
  refuse("schedule.steps", "Expected `schedule.steps` to be at least " + std::to_string(lowest) + " but received " +
                               std::to_string(steps) + ".");
}

void expect_restarts(const ScheduleSpec& spec) {
  if (!spec.restarts) return;
  expect_at_least("schedule.restarts.lengthFactor", spec.length_factor, 1.0);
  expect_positive("schedule.restarts.rateFactor", spec.rate_factor);
}

}  // namespace

Schedule::Schedule(const ScheduleSpec& spec, double learning_rate) : spec_(spec), learning_rate_(learning_rate) {
  switch (spec.type) {
    case ScheduleType::kConstant:
      break;
    case ScheduleType::kStep:
    case ScheduleType::kExponential:
      expect_steps(spec.steps, 1);
      expect_positive("schedule.factor", spec.factor);
      break;
    case ScheduleType::kPolynomial:
      expect_steps(spec.steps, 1);
      expect_not_negative("schedule.endRate", spec.end_rate);
      expect_positive("schedule.power", spec.power);
      break;
    case ScheduleType::kCosine:
      expect_steps(spec.steps, 1);
      expect_not_negative("schedule.alpha", spec.alpha);
      expect_restarts(spec);
      break;
    case ScheduleType::kOneCycle:
      expect_steps(spec.steps, 2);
      expect_positive("schedule.maximumRate", spec.maximum_rate);
      expect_fraction("schedule.risingShare", spec.rising_share);
      expect_positive("schedule.initialDivisor", spec.initial_divisor);
      expect_positive("schedule.finalDivisor", spec.final_divisor);
      if (spec.three_phases && spec.rising_share > 0.5) {
        refuse("schedule.risingShare", "Expected `schedule.risingShare` to be at most 0.5 with three phases but received " +
                                           std::to_string(spec.rising_share) + ".");
      }
      break;
    case ScheduleType::kPlateau:
      expect_positive("schedule.factor", spec.factor);
      expect_fraction("schedule.factor", spec.factor);
      expect_not_negative("schedule.minimumDelta", spec.minimum_delta);
      expect_not_negative("schedule.minimumRate", spec.minimum_rate);
      break;
  }
}

double Schedule::cosine_at(double step) const {
  const double length = static_cast<double>(spec_.steps);
  double done = std::min(step / length, 1.0);
  double height = 1.0;
  if (spec_.restarts) {
    // The cycle that the step falls into; a step on its end belongs to the next one.
    const double growth = spec_.length_factor;
    double restarts = std::floor(step / length);
    if (growth > 1.0) {
      const auto begin_of = [&](double cycle) { return length * (std::pow(growth, cycle) - 1.0) / (growth - 1.0); };
      restarts = std::floor(std::log1p(step / length * (growth - 1.0)) / std::log(growth));
      // The logarithms may be off by a rounding at a cycle's end.
      if (begin_of(restarts + 1.0) <= step) restarts += 1.0;
      if (begin_of(restarts) > step) restarts -= 1.0;
      done = (step - begin_of(restarts)) / (length * std::pow(growth, restarts));
    } else {
      done = step / length - restarts;
    }
    height = std::pow(spec_.rate_factor, restarts);
  }
  return (1.0 - spec_.alpha) * height * 0.5 * (1.0 + std::cos(kPi * done)) + spec_.alpha;
}

double Schedule::one_cycle_at(double step) const {
  const double total = static_cast<double>(spec_.steps);
  const double highest = spec_.maximum_rate;
  const double first = highest / spec_.initial_divisor;
  const double last = first / spec_.final_divisor;
  const double risen = spec_.rising_share * total - 1.0;
  const double fallen = spec_.three_phases ? 2.0 * spec_.rising_share * total - 2.0 : risen;
  const auto between = [&](double from, double to, double begin, double end) {
    const double share = end > begin ? std::min((step - begin) / (end - begin), 1.0) : 1.0;
    return spec_.linear ? from + (to - from) * share : to + (from - to) / 2.0 * (1.0 + std::cos(kPi * share));
  };
  if (step <= risen) return between(first, highest, 0.0, risen);
  if (spec_.three_phases && step <= fallen) return between(highest, first, risen, fallen);
  return between(spec_.three_phases ? first : highest, last, fallen, total - 1.0);
}

double Schedule::unwarmed(double step, double initial) const {
  const double length = static_cast<double>(spec_.steps);
  switch (spec_.type) {
    case ScheduleType::kConstant:
    case ScheduleType::kPlateau:
      return initial;
    case ScheduleType::kStep:
      return initial * std::pow(spec_.factor, std::floor(step / length));
    case ScheduleType::kExponential:
      return initial * std::pow(spec_.factor, spec_.staircase ? std::floor(step / length) : step / length);
    case ScheduleType::kPolynomial: {
      const double cycles = spec_.cycle ? std::max(1.0, std::ceil(step / length)) : 1.0;
      const double done = std::min(step / (length * cycles), 1.0);
      return (initial - spec_.end_rate) * std::pow(1.0 - done, spec_.power) + spec_.end_rate;
    }
    case ScheduleType::kCosine:
      return initial * cosine_at(step);
    case ScheduleType::kOneCycle:
      return one_cycle_at(step);
  }
  return initial;
}

double Schedule::rate_at(std::uint64_t step) const { return rate_at(step, learning_rate_); }

double Schedule::rate_at(std::uint64_t step, double plateau_rate) const {
  const double initial = spec_.type == ScheduleType::kPlateau ? plateau_rate : learning_rate_;
  if (step < spec_.warmup_steps) {
    return unwarmed(0.0, initial) * static_cast<double>(step) / static_cast<double>(spec_.warmup_steps);
  }
  return unwarmed(static_cast<double>(step - spec_.warmup_steps), initial);
}

Plateau::Plateau(const ScheduleSpec& spec, double learning_rate)
    : rate(learning_rate), best((spec.rising ? -1.0 : 1.0) * std::numeric_limits<double>::infinity()) {}

void Plateau::observe(const ScheduleSpec& spec, double metric) {
  if (cooling > 0) {
    --cooling;
    waited = 0;
  }
  const bool better = spec.rising ? metric > best + spec.minimum_delta : metric < best - spec.minimum_delta;
  if (better) {
    best = metric;
    waited = 0;
  } else if (cooling == 0 && ++waited >= spec.patience && rate > spec.minimum_rate) {
    rate = std::max(rate * spec.factor, spec.minimum_rate);
    cooling = spec.cooldown;
    waited = 0;
  }
}

}  // namespace millrace
