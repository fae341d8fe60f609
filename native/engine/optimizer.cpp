#include "optimizer.h"

#include <cmath>
#include <limits>

#include "expectation.h"

namespace millrace {
namespace {

// By squaring, in doubles: unlike std::pow, the same on every C library.
double power(double base, std::uint64_t exponent) {
  double result = 1.0;
  for (; exponent > 0; exponent >>= 1) {
    if (exponent & 1) result *= base;
    base *= base;
  }
  return result;
}

bool is_adam(OptimizerType type) { return type == OptimizerType::kAdam || type == OptimizerType::kAdamW; }

UpdateRule rule_of(const OptimizerSpec& spec) {
  switch (spec.type) {
    case OptimizerType::kGradientDescent:
      return UpdateRule::kDescent;
    case OptimizerType::kSgd:
      if (spec.momentum == 0.0) return UpdateRule::kDescent;
      return spec.nesterov ? UpdateRule::kNesterov : UpdateRule::kMomentum;
    case OptimizerType::kAdam:
    case OptimizerType::kAdamW:
      return spec.amsgrad ? UpdateRule::kAmsgrad : UpdateRule::kAdam;
    case OptimizerType::kRmsprop:
      return UpdateRule::kRmsprop;
    case OptimizerType::kAdagrad:
      return UpdateRule::kAdagrad;
    case OptimizerType::kAdadelta:
      return UpdateRule::kAdadelta;
    case OptimizerType::kLion:
      return UpdateRule::kLion;
  }
  return UpdateRule::kDescent;
}

}  // namespace

Optimizer::Optimizer(const OptimizerSpec& spec) : spec_(spec) {
  const UpdateRule rule = rule_of(spec);
  expect_positive("optimizer.learningRate", spec.learning_rate);
  expect_not_negative("optimizer.weightDecay", spec.weight_decay);
  if (spec.type == OptimizerType::kSgd || rule == UpdateRule::kRmsprop) {
    expect_fraction("optimizer.momentum", spec.momentum);
  }
  if (is_adam(spec.type) || rule == UpdateRule::kLion) {
    expect_fraction("optimizer.beta1", spec.beta1);
    expect_fraction("optimizer.beta2", spec.beta2);
  }
  if (rule == UpdateRule::kRmsprop || rule == UpdateRule::kAdadelta) expect_fraction("optimizer.rho", spec.rho);
  if (rule == UpdateRule::kAdagrad) expect_not_negative("optimizer.initialAccumulator", spec.initial_accumulator);
  if (is_adam(spec.type) || rule == UpdateRule::kRmsprop || rule == UpdateRule::kAdagrad ||
      rule == UpdateRule::kAdadelta) {
    expect_at_least("optimizer.epsilon", spec.epsilon, std::numeric_limits<float>::min());
  }
}

std::array<const char*, kMomentsMax> Optimizer::moment_names() const {
  switch (rule_of(spec_)) {
    case UpdateRule::kDescent:
      return {};
    case UpdateRule::kMomentum:
    case UpdateRule::kNesterov:
      return {"velocity"};
    case UpdateRule::kAdam:
      return {"firstMoment", "secondMoment"};
    case UpdateRule::kAmsgrad:
      return {"firstMoment", "secondMoment", "largestSecondMoment"};
    case UpdateRule::kRmsprop:
      return {"meanSquare", spec_.centered ? "meanGradient" : nullptr, spec_.momentum > 0.0 ? "velocity" : nullptr};
    case UpdateRule::kAdagrad:
      return {"squareSum"};
    case UpdateRule::kAdadelta:
      return {"meanSquare", "meanSquareStep"};
    case UpdateRule::kLion:
      return {"firstMoment"};
  }
  return {};
}

float Optimizer::initial_moment() const {
  return spec_.type == OptimizerType::kAdagrad ? static_cast<float>(spec_.initial_accumulator) : 0.0f;
}

Update Optimizer::update_at(std::uint64_t step, double learning_rate) const {
  Update update;
  update.rule = rule_of(spec_);
  update.learning_rate = static_cast<float>(learning_rate);
  update.momentum = static_cast<float>(spec_.momentum);
  update.epsilon = static_cast<float>(spec_.epsilon);
  update.weight_decay = static_cast<float>(learning_rate * spec_.weight_decay);
  update.plain = spec_.weight_decay == 0.0;
  const double beta2 = is_adam(spec_.type) || update.rule == UpdateRule::kLion ? spec_.beta2 : spec_.rho;
  update.beta1 = static_cast<float>(spec_.beta1);
  update.beta1_rest = static_cast<float>(1.0 - spec_.beta1);
  update.beta2 = static_cast<float>(beta2);
  update.beta2_rest = static_cast<float>(1.0 - beta2);
  if (is_adam(spec_.type)) {
    update.learning_rate = static_cast<float>(learning_rate / (1.0 - power(spec_.beta1, step)));
    update.second_moment_scale = static_cast<float>(1.0 / std::sqrt(1.0 - power(spec_.beta2, step)));
  }
  return update;
}

}  // namespace millrace
