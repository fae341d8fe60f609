#include "optimizer.h"

#include <cmath>
#include <string>

#include "error.h"

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

void expect_fraction(const char* field, float value) {
  if (value >= 0.0f && value < 1.0f) return;
  refuse(field, "Expected `" + std::string(field) + "` to be at least 0 and below 1 but received " +
                    std::to_string(value) + ".");
}

}  // namespace

Optimizer::Optimizer(const OptimizerSpec& spec) : spec_(spec) {
  if (!(spec.learning_rate > 0.0f) || !std::isfinite(spec.learning_rate)) {
    refuse("optimizer.learningRate", "Expected `optimizer.learningRate` to be a positive number but received " +
                                         std::to_string(spec.learning_rate) + ".");
  }
  if (spec.type == OptimizerType::kSgd) expect_fraction("optimizer.momentum", spec.momentum);
  if (spec.type == OptimizerType::kAdam) {
    expect_fraction("optimizer.beta1", spec.beta1);
    expect_fraction("optimizer.beta2", spec.beta2);
    if (!(spec.epsilon >= 0.0f) || !std::isfinite(spec.epsilon)) {
      refuse("optimizer.epsilon", "Expected `optimizer.epsilon` to be at least 0 but received " +
                                      std::to_string(spec.epsilon) + ".");
    }
  }
}

int Optimizer::moment_count() const {
  switch (spec_.type) {
    case OptimizerType::kGradientDescent:
      return 0;
    case OptimizerType::kSgd:
      return spec_.momentum > 0.0f ? 1 : 0;
    case OptimizerType::kAdam:
      return 2;
  }
  return 0;
}

Update Optimizer::update_at(std::uint64_t step) const {
  Update update{};
  update.rule = UpdateRule::kDescent;
  update.learning_rate = spec_.learning_rate;
  if (spec_.type == OptimizerType::kSgd && spec_.momentum > 0.0f) {
    update.rule = spec_.nesterov ? UpdateRule::kNesterov : UpdateRule::kMomentum;
    update.momentum = spec_.momentum;
  }
  if (spec_.type == OptimizerType::kAdam) {
    update.rule = UpdateRule::kAdam;
    update.learning_rate = static_cast<float>(spec_.learning_rate / (1.0 - power(spec_.beta1, step)));
    update.beta1 = spec_.beta1;
    update.beta2 = spec_.beta2;
    update.epsilon = spec_.epsilon;
    update.second_moment_scale = static_cast<float>(1.0 / std::sqrt(1.0 - power(spec_.beta2, step)));
  }
  return update;
}

}  // namespace millrace
