#include "optimization_argument.h"

#include <string>

namespace millrace::binding {
namespace {

constexpr std::pair<const char*, OptimizerType> kOptimizers[] = {{"gradientDescent", OptimizerType::kGradientDescent},
                                                                 {"sgd", OptimizerType::kSgd},
                                                                 {"adam", OptimizerType::kAdam},
                                                                 {"adamW", OptimizerType::kAdamW},
                                                                 {"rmsprop", OptimizerType::kRmsprop},
                                                                 {"adagrad", OptimizerType::kAdagrad},
                                                                 {"adadelta", OptimizerType::kAdadelta},
                                                                 {"lion", OptimizerType::kLion}};
constexpr std::pair<const char*, ScheduleType> kSchedules[] = {{"constant", ScheduleType::kConstant},
                                                               {"step", ScheduleType::kStep},
                                                               {"exponential", ScheduleType::kExponential},
                                                               {"polynomial", ScheduleType::kPolynomial},
                                                               {"cosine", ScheduleType::kCosine},
                                                               {"oneCycle", ScheduleType::kOneCycle},
                                                               {"plateau", ScheduleType::kPlateau}};
constexpr std::pair<const char*, bool> kAnnealings[] = {{"cosine", false}, {"linear", true}};
constexpr std::pair<const char*, bool> kModes[] = {{"minimum", false}, {"maximum", true}};

bool is_given(const Napi::Value& value) { return !value.IsUndefined() && !value.IsNull(); }

OptimizerSpec to_optimizer(const Fields& fields) {
  OptimizerSpec spec;
  spec.type = to_choice(fields, "type", kOptimizers);
  switch (spec.type) {
    case OptimizerType::kGradientDescent:
      fields.expect_only({"type", "learningRate", "weightDecay"});
      break;
    case OptimizerType::kSgd:
      fields.expect_only({"type", "learningRate", "momentum", "nesterov", "weightDecay"});
      spec.momentum = fields.number("momentum");
      spec.nesterov = fields.boolean("nesterov");
      break;
    case OptimizerType::kAdam:
    case OptimizerType::kAdamW:
      fields.expect_only({"type", "learningRate", "beta1", "beta2", "epsilon", "amsgrad", "weightDecay"});
      spec.beta1 = fields.number("beta1");
      spec.beta2 = fields.number("beta2");
      spec.epsilon = fields.number("epsilon");
      spec.amsgrad = fields.boolean("amsgrad");
      break;
    case OptimizerType::kRmsprop:
      fields.expect_only({"type", "learningRate", "rho", "momentum", "epsilon", "centered", "weightDecay"});
      spec.rho = fields.number("rho");
      spec.momentum = fields.number("momentum");
      spec.epsilon = fields.number("epsilon");
      spec.centered = fields.boolean("centered");
      break;
    case OptimizerType::kAdagrad:
      fields.expect_only({"type", "learningRate", "initialAccumulator", "epsilon", "weightDecay"});
      spec.initial_accumulator = fields.number("initialAccumulator");
      spec.epsilon = fields.number("epsilon");
      break;
    case OptimizerType::kAdadelta:
      fields.expect_only({"type", "learningRate", "rho", "epsilon", "weightDecay"});
      spec.rho = fields.number("rho");
      spec.epsilon = fields.number("epsilon");
      break;
    case OptimizerType::kLion:
      fields.expect_only({"type", "learningRate", "beta1", "beta2", "weightDecay"});
      spec.beta1 = fields.number("beta1");
      spec.beta2 = fields.number("beta2");
      break;
  }
  spec.learning_rate = fields.number("learningRate");
  spec.weight_decay = fields.number("weightDecay");
  return spec;
}

void read_restarts(const Fields& fields, ScheduleSpec& spec) {
  if (!is_given(fields.value("restarts"))) return;
  const Fields restarts(fields.value("restarts"), "schedule.restarts");
  restarts.expect_only({"lengthFactor", "rateFactor"});
  spec.restarts = true;
  spec.length_factor = restarts.number("lengthFactor");
  spec.rate_factor = restarts.number("rateFactor");
}

ScheduleSpec to_schedule(const Fields& fields) {
  ScheduleSpec spec;
  spec.type = to_choice(fields, "type", kSchedules);
  switch (spec.type) {
    case ScheduleType::kConstant:
      fields.expect_only({"type", "warmupSteps"});
      break;
    case ScheduleType::kStep:
      fields.expect_only({"type", "warmupSteps", "steps", "factor"});
      spec.factor = fields.number("factor");
      break;
    case ScheduleType::kExponential:
      fields.expect_only({"type", "warmupSteps", "steps", "factor", "staircase"});
      spec.factor = fields.number("factor");
      spec.staircase = fields.boolean("staircase");
      break;
    case ScheduleType::kPolynomial:
      fields.expect_only({"type", "warmupSteps", "steps", "endRate", "power", "cycle"});
      spec.end_rate = fields.number("endRate");
      spec.power = fields.number("power");
      spec.cycle = fields.boolean("cycle");
      break;
    case ScheduleType::kCosine:
      fields.expect_only({"type", "warmupSteps", "steps", "alpha", "restarts"});
      spec.alpha = fields.number("alpha");
      read_restarts(fields, spec);
      break;
    case ScheduleType::kOneCycle:
      fields.expect_only({"type", "warmupSteps", "steps", "maximumRate", "risingShare", "annealing", "initialDivisor",
                          "finalDivisor", "threePhases"});
      spec.maximum_rate = fields.number("maximumRate");
      spec.rising_share = fields.number("risingShare");
      spec.linear = to_choice(fields, "annealing", kAnnealings);
      spec.initial_divisor = fields.number("initialDivisor");
      spec.final_divisor = fields.number("finalDivisor");
      spec.three_phases = fields.boolean("threePhases");
      break;
    case ScheduleType::kPlateau:
      fields.expect_only({"type", "warmupSteps", "factor", "patience", "minimumDelta", "cooldown", "minimumRate",
                          "mode"});
      spec.factor = fields.number("factor");
      spec.patience = fields.integer("patience", 0, kSafeInteger);
      spec.minimum_delta = fields.number("minimumDelta");
      spec.cooldown = fields.integer("cooldown", 0, kSafeInteger);
      spec.minimum_rate = fields.number("minimumRate");
      spec.rising = to_choice(fields, "mode", kModes);
      break;
  }
  const bool counts_steps = spec.type != ScheduleType::kConstant && spec.type != ScheduleType::kPlateau;
  if (counts_steps) spec.steps = fields.integer("steps", 1, kSafeInteger);
  spec.warmup_steps = fields.integer("warmupSteps", 0, kSafeInteger);
  return spec;
}

Clipping to_clipping(const Fields& fields) {
  constexpr std::pair<const char*, ClippingType> kKinds[] = {{"value", ClippingType::kValue},
                                                             {"norm", ClippingType::kNorm},
                                                             {"globalNorm", ClippingType::kGlobalNorm}};
  fields.expect_only({"value", "norm", "globalNorm"});
  Clipping clipping;
  int given = 0;
  for (const auto& [name, type] : kKinds) {
    if (!is_given(fields.value(name))) continue;
    clipping = {type, fields.number(name)};
    ++given;
  }
  if (given != 1) {
    refuse("clipping", "Expected `clipping` to have one of value, norm, globalNorm but received " +
                           std::to_string(given) + " of them.");
  }
  return clipping;
}

}  // namespace

OptimizationSpec to_optimization_spec(const Fields& options) {
  OptimizationSpec spec;
  spec.optimizer = to_optimizer(Fields(options.value("optimizer"), "optimizer"));
  if (is_given(options.value("schedule"))) spec.schedule = to_schedule(Fields(options.value("schedule"), "schedule"));
  if (is_given(options.value("regularization"))) {
    const Fields regularization(options.value("regularization"), "regularization");
    regularization.expect_only({"l1", "l2"});
    spec.regularization = {regularization.number("l1"), regularization.number("l2")};
  }
  if (is_given(options.value("clipping"))) spec.clipping = to_clipping(Fields(options.value("clipping"), "clipping"));
  if (is_given(options.value("averaging"))) {
    const Fields averaging(options.value("averaging"), "averaging");
    averaging.expect_only({"decay"});
    spec.averaging = {true, averaging.number("decay")};
  }
  return spec;
}

}  // namespace millrace::binding
