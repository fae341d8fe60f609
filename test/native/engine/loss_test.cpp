#include "engine/loss.h"

#include <vector>

#include "check.h"
#include "engine/panel.h"

namespace millrace::test {
namespace {

constexpr Loss kLosses[] = {Loss::kMeanSquaredError,        Loss::kMeanAbsoluteError, Loss::kHuber,
                            Loss::kLogCosh,                 Loss::kBinaryCrossEntropy, Loss::kCategoricalCrossEntropy,
                            Loss::kHinge,                   Loss::kKullbackLeibler,    Loss::kPoisson};

/// Three rows of 18 columns, so that the second panel has padding; every number of it is `value`.
struct Batch {
  static constexpr std::size_t kRows = 3;
  static constexpr std::size_t kColumns = 18;

  explicit Batch(Loss loss, float value = 0.5f)
      : spec(loss), values(panel_size(kRows, kColumns), value), error(values.size(), 7.0f), targets(kRows * kColumns) {
    for (std::size_t row = 0; row < kRows; ++row) targets[row * kColumns + row] = 1.0f;
  }

  void run(Activation last, const std::uint32_t* order = nullptr, const float* weights = nullptr) {
    loss_rows({spec, last, values.data(), values.data(), kRows, kColumns, targets.data(), false, weights, order, 0,
               1.0f / kRows, error.data(), loss, correct},
              {0, kRows});
  }

  LossSpec spec;
  std::vector<float> values;
  std::vector<float> error;
  std::vector<float> targets;
  double loss[kRows] = {};
  std::uint32_t correct[kRows] = {};
};

Activation fitting(Loss loss) {
  return loss == Loss::kBinaryCrossEntropy                                          ? Activation::kSigmoid
         : loss == Loss::kCategoricalCrossEntropy || loss == Loss::kKullbackLeibler ? Activation::kSoftmax
                                                                                    : Activation::kLinear;
}

TEST("every loss clears the padding of the error") {
  for (const Loss loss : kLosses) {
    Batch batch(loss);
    batch.run(fitting(loss));
    for (std::size_t row = 0; row < Batch::kRows; ++row) {
      for (std::size_t c = Batch::kColumns; c < padded(Batch::kColumns); ++c) {
        CHECK(batch.error[panel_offset(Batch::kRows, row, c)] == 0.0f);
      }
    }
  }
}

TEST("no loss hides an output that is no number") {
  for (const Loss loss : kLosses) {
    Batch batch(loss, NAN);
    batch.run(fitting(loss));
    for (const double row : batch.loss) CHECK(std::isnan(row));
  }
  Batch clamped(Loss::kKullbackLeibler, NAN);
  clamped.run(Activation::kRelu);
  for (const double row : clamped.loss) CHECK(std::isnan(row));
}

TEST("targets and weights are those of the source row") {
  const std::uint32_t order[] = {2, 0, 1};
  const float weights[] = {1.0f, 2.0f, 4.0f};
  for (const Loss loss : kLosses) {
    // The first outputs differ, and so do the losses of targets that are 1 at one of them.
    const auto fill = [](Batch& batch) {
      for (std::size_t row = 0; row < Batch::kRows; ++row) {
        batch.values[panel_offset(Batch::kRows, row, 0)] = 0.9f;
        batch.values[panel_offset(Batch::kRows, row, 1)] = 0.7f;
      }
    };
    Batch plain(loss), ordered(loss);
    fill(plain);
    fill(ordered);
    plain.run(fitting(loss));
    ordered.run(fitting(loss), order, weights);
    for (std::size_t row = 0; row < Batch::kRows; ++row) {
      CHECK_NEAR(ordered.loss[row], weights[order[row]] * plain.loss[order[row]], 1e-12);
      CHECK(ordered.correct[row] == plain.correct[order[row]]);
      CHECK(plain.loss[row] != plain.loss[(row + 1) % Batch::kRows]);
    }
  }
}

}  // namespace
}  // namespace millrace::test
