#include <cmath>
#include <cstring>
#include <limits>

#include "check.h"
#include "engine/kernels.h"
#include "engine/optimization.h"
#include "engine/optimizer.h"
#include "matrices.h"

namespace millrace::test {
namespace {

constexpr std::size_t kCount = 64;
constexpr double kRate = 0.0625;

OptimizerSpec spec_of(OptimizerType type) {
  OptimizerSpec spec;
  spec.type = type;
  spec.learning_rate = kRate;
  spec.momentum = 0.75;
  spec.beta1 = 0.875;
  spec.beta2 = 0.9375;
  spec.rho = 0.75;
  spec.epsilon = 1e-3;
  return spec;
}

std::vector<OptimizerSpec> all_specs() {
  std::vector<OptimizerSpec> specs;
  for (int type = 0; type <= static_cast<int>(OptimizerType::kLion); ++type) {
    specs.push_back(spec_of(static_cast<OptimizerType>(type)));
  }
  specs.push_back(spec_of(OptimizerType::kSgd));
  specs.back().nesterov = true;
  specs.push_back(spec_of(OptimizerType::kAdam));
  specs.back().amsgrad = true;
  specs.push_back(spec_of(OptimizerType::kRmsprop));
  specs.back().momentum = 0.0;
  specs.back().centered = true;
  return specs;
}

// One parameter in doubles, straight from the formulas in optimizer.h.
struct Reference {
  double w;
  double m[3] = {};
  double average = 0.0;

  void step(const OptimizerSpec& s, const Update& u, int t, double g) {
    const auto sign = [](double x) { return x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : 0.0; };
    g = g * u.gradient_scale + u.l1 * sign(w) + u.l2_slope * w;
    g = std::min(std::max(g, -static_cast<double>(u.clip_value)), static_cast<double>(u.clip_value));
    w -= u.weight_decay * w;
    switch (s.type) {
      case OptimizerType::kGradientDescent:
        w -= kRate * g;
        break;
      case OptimizerType::kSgd:
        m[0] = s.momentum * m[0] - kRate * g;
        w += s.nesterov ? s.momentum * m[0] - kRate * g : m[0];
        break;
      case OptimizerType::kAdam:
      case OptimizerType::kAdamW:
        m[0] = s.beta1 * m[0] + (1.0 - s.beta1) * g;
        m[1] = s.beta2 * m[1] + (1.0 - s.beta2) * g * g;
        m[2] = std::max(m[2], m[1]);
        w -= kRate * m[0] / (1.0 - std::pow(s.beta1, t)) /
             (std::sqrt((s.amsgrad ? m[2] : m[1]) / (1.0 - std::pow(s.beta2, t))) + s.epsilon);
        break;
      case OptimizerType::kRmsprop:
        m[0] = s.rho * m[0] + (1.0 - s.rho) * g * g;
        m[1] = s.rho * m[1] + (1.0 - s.rho) * g;
        m[2] = s.momentum * m[2] + kRate * g / std::sqrt((s.centered ? m[0] - m[1] * m[1] : m[0]) + s.epsilon);
        w -= m[2];
        break;
      case OptimizerType::kAdagrad:
        m[0] += g * g;
        w -= kRate * g / std::sqrt(m[0] + s.epsilon);
        break;
      case OptimizerType::kAdadelta: {
        m[0] = s.rho * m[0] + (1.0 - s.rho) * g * g;
        const double move = g * std::sqrt(m[1] + s.epsilon) / std::sqrt(m[0] + s.epsilon);
        m[1] = s.rho * m[1] + (1.0 - s.rho) * move * move;
        w -= kRate * move;
        break;
      }
      case OptimizerType::kLion:
        w -= kRate * sign(s.beta1 * m[0] + (1.0 - s.beta1) * g);
        m[0] = s.beta2 * m[0] + (1.0 - s.beta2) * g;
        break;
    }
    average = u.average_kept * average + u.average_added * w;
  }
};

struct Blocks {
  explicit Blocks(const Optimizer& optimizer, bool averaged)
      : value(Matrix::random(1, kCount, 1).panels()), gradient(kCount), average(kCount) {
    views = {value.data(), gradient.data(), {}, averaged ? average.data() : nullptr};
    for (int index = 0; index < kMomentsMax; ++index) {
      moments[index].assign(kCount, optimizer.initial_moment());
      if (optimizer.moment_names()[index] != nullptr) views.moment[index] = moments[index].data();
    }
  }
  AlignedBuffer<float> value, gradient, average, moments[kMomentsMax];
  ParameterBlocks views;
};

void add_everything(Update& update, int step) {
  update.plain = false;
  update.gradient_scale = 0.75f;
  update.l1 = 0.015625f;
  update.l2_slope = 0.125f;
  update.clip_value = 0.5f;
  update.weight_decay = 0.03125f;
  update.average_kept = step == 1 ? 0.0f : 0.75f;
  update.average_added = 1.0f - update.average_kept;
}

TEST("every rule agrees with its formula on every instruction set, with and without all that surrounds it") {
  for (const Kernels* k : available_kernels()) {
    for (const OptimizerSpec& spec : all_specs()) {
      for (const bool everything : {false, true}) {
        const Optimizer optimizer(spec);
        Blocks blocks(optimizer, everything);
        std::vector<Reference> references;
        for (const float value : blocks.value) references.push_back({value, {}, 0.0});
        for (int step = 1; step <= 6; ++step) {
          Update update = optimizer.update_at(static_cast<std::uint64_t>(step), kRate);
          if (everything) add_everything(update, step);
          const Matrix gradient = Matrix::random(1, kCount, 10 + static_cast<std::uint32_t>(step));
          std::memcpy(blocks.gradient.data(), gradient.flat.data(), kCount * sizeof(float));
          k->update(blocks.views, update, kCount);
          for (std::size_t i = 0; i < kCount; ++i) references[i].step(spec, update, step, gradient.flat[i]);
        }
        for (std::size_t i = 0; i < kCount; ++i) {
          // Six steps of some roundings of 6e-8, on numbers of about 1; a centred variance is a difference.
          CHECK_NEAR(blocks.value[i], references[i].w, 5e-6);
          if (everything) CHECK_NEAR(blocks.average[i], references[i].average, 5e-6);
        }
      }
    }
  }
}

TEST("a NaN gradient makes its parameter NaN and no other, whatever the rule and clipping") {
  for (const Kernels* k : available_kernels()) {
    for (const OptimizerSpec& spec : all_specs()) {
      for (const bool everything : {false, true}) {
        const Optimizer optimizer(spec);
        Blocks blocks(optimizer, everything);
        Update update = optimizer.update_at(1, kRate);
        if (everything) add_everything(update, 1);
        blocks.gradient[37] = std::numeric_limits<float>::quiet_NaN();
        k->update(blocks.views, update, kCount);
        for (std::size_t i = 0; i < kCount; ++i) CHECK(std::isnan(blocks.value[i]) == (i == 37));
      }
    }
  }
}

TEST("a parameter that never has a gradient stays where it is") {
  for (const Kernels* k : available_kernels()) {
    for (OptimizerSpec spec : all_specs()) {
      spec.epsilon = std::numeric_limits<float>::min();
      const Optimizer optimizer(spec);
      Blocks blocks(optimizer, false);
      const AlignedBuffer<float> before = blocks.value;
      for (std::uint64_t step = 1; step <= 3; ++step) {
        k->update(blocks.views, optimizer.update_at(step, kRate), kCount);
      }
      CHECK(std::memcmp(before.data(), blocks.value.data(), kCount * sizeof(float)) == 0);
    }
  }
}

TEST("regularize adds the slopes and sums the squares in doubles") {
  for (const Kernels* k : available_kernels()) {
    Blocks blocks{Optimizer(spec_of(OptimizerType::kGradientDescent)), false};
    const Matrix gradient = Matrix::random(1, kCount, 3);
    std::memcpy(blocks.gradient.data(), gradient.flat.data(), kCount * sizeof(float));
    blocks.value[5] = 0.0f;
    Update update;
    double squares = 0.0;
    for (const float g : gradient.flat) squares += static_cast<double>(g) * g;
    CHECK_NEAR(k->regularize(blocks.views, update, kCount), squares, 1e-13 * squares);
    CHECK(std::memcmp(blocks.gradient.data(), gradient.flat.data(), kCount * sizeof(float)) == 0);
    update.l1 = 0.25f;
    update.l2_slope = 0.5f;
    const double regularized = k->regularize(blocks.views, update, kCount);
    squares = 0.0;
    for (std::size_t i = 0; i < kCount; ++i) {
      const float w = blocks.value[i];
      const double sign = w > 0.0f ? 1.0 : w < 0.0f ? -1.0 : 0.0;
      CHECK_NEAR(blocks.gradient[i], gradient.flat[i] + 0.25 * sign + 0.5 * w, 1e-6);
      squares += static_cast<double>(blocks.gradient[i]) * blocks.gradient[i];
    }
    CHECK_NEAR(regularized, squares, 1e-13 * squares);
    blocks.gradient[40] = std::numeric_limits<float>::quiet_NaN();
    CHECK(std::isnan(k->regularize(blocks.views, update, kCount)));
  }
}

}  // namespace
}  // namespace millrace::test
