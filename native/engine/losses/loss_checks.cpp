// What a loss refuses: options, last activations, targets and weights that it cannot work with.

#include <cmath>
#include <string>

#include "error.h"
#include "loss.h"

namespace millrace {
namespace {

const char* name_of(Loss loss) {
  switch (loss) {
    case Loss::kMeanSquaredError:
      return "meanSquaredError";
    case Loss::kMeanAbsoluteError:
      return "meanAbsoluteError";
    case Loss::kHuber:
      return "huber";
    case Loss::kLogCosh:
      return "logCosh";
    case Loss::kBinaryCrossEntropy:
      return "binaryCrossEntropy";
    case Loss::kCategoricalCrossEntropy:
      return "categoricalCrossEntropy";
    case Loss::kHinge:
      return "hinge";
    case Loss::kKullbackLeibler:
      return "kullbackLeibler";
    case Loss::kPoisson:
      return "poisson";
  }
  return "";
}

[[noreturn]] void refuse_last(Loss loss, const std::string& wanted) {
  refuse("loss", "Expected the last layer to have " + wanted + " for " + name_of(loss) + ".");
}

/// Whether every output is 0 or more.
bool is_nonnegative(Activation last) {
  return last == Activation::kSigmoid || last == Activation::kHardSigmoid || last == Activation::kRelu ||
         last == Activation::kSoftplus || last == Activation::kSoftmax;
}

/// Softmax or log-softmax.
bool is_normalized(Activation last) { return !is_elementwise(last); }

void expect_activation(Loss loss, Activation last, std::size_t outputs) {
  if (has_classes(loss) && (!is_normalized(last) || outputs < 2)) {
    refuse_last(loss, "softmax or logSoftmax and at least 2 units");
  }
  if (loss == Loss::kBinaryCrossEntropy && last != Activation::kSigmoid) refuse_last(loss, "sigmoid");
  if (loss == Loss::kKullbackLeibler && is_normalized(last) && outputs < 2) refuse_last(loss, "at least 2 units");
  const bool logarithm = loss == Loss::kPoisson || (loss == Loss::kKullbackLeibler && !is_normalized(last));
  if (logarithm && !is_nonnegative(last)) {
    refuse_last(loss, "outputs that are never negative, such as those of softmax, sigmoid or softplus,");
  }
  if (loss == Loss::kHinge && (is_nonnegative(last) || is_normalized(last))) {
    refuse_last(loss, "outputs of both signs, such as those of linear or tanh,");
  }
}

void expect_options(const LossSpec& loss, std::size_t outputs) {
  if (!(loss.delta > 0.0 && std::isfinite(loss.delta))) {
    refuse("loss.delta", "Expected `loss.delta` to be a positive number but received " + std::to_string(loss.delta) + ".");
  }
  if (!(loss.label_smoothing >= 0.0 && loss.label_smoothing < 1.0)) {
    refuse("loss.labelSmoothing", "Expected `loss.labelSmoothing` to be at least 0 and less than 1 but received " +
                                      std::to_string(loss.label_smoothing) + ".");
  }
  if (loss.label_smoothing > 0.0 && !has_classes(loss.type) && loss.type != Loss::kBinaryCrossEntropy) {
    refuse("loss.labelSmoothing", std::string("Expected no `loss.labelSmoothing` for ") + name_of(loss.type) +
                                      ": it is for categoricalCrossEntropy and binaryCrossEntropy.");
  }
  if (loss.class_weights.empty()) return;
  const bool binary = loss.type == Loss::kBinaryCrossEntropy && outputs == 1;
  if (!binary && !has_classes(loss.type)) {
    refuse("loss.classWeights", std::string("Expected no `loss.classWeights` for ") + name_of(loss.type) + " with " +
                                    std::to_string(outputs) +
                                    " outputs: they are for categoricalCrossEntropy, and binaryCrossEntropy of 1 output.");
  }
  const std::size_t classes = binary ? 2 : outputs;
  if (loss.class_weights.size() != classes) {
    refuse("loss.classWeights", "Expected `loss.classWeights` to have " + std::to_string(classes) +
                                    " numbers but received " + std::to_string(loss.class_weights.size()) + ".");
  }
  for (std::size_t index = 0; index < classes; ++index) {
    const float weight = loss.class_weights[index];
    if (weight >= 0.0f && std::isfinite(weight)) continue;
    const std::string field = "loss.classWeights[" + std::to_string(index) + "]";
    refuse(field, "Expected `" + field + "` to be 0 or a positive number but received " + std::to_string(weight) + ".");
  }
}

std::string place(std::size_t index, std::size_t columns) {
  return " in row " + std::to_string(index / columns) + ", column " + std::to_string(index % columns) + ".";
}

void expect_classes(const std::int32_t* targets, std::size_t rows, std::size_t classes) {
  for (std::size_t row = 0; row < rows; ++row) {
    if (targets[row] >= 0 && static_cast<std::size_t>(targets[row]) < classes) continue;
    refuse("targets", "Expected `targets` to be class indices from 0 to " + std::to_string(classes - 1) +
                          " but received " + std::to_string(targets[row]) + " in row " + std::to_string(row) + ".");
  }
}

/// `fits` is false for NaN.
template <typename Fits>
void expect_each(const float* targets, std::size_t rows, std::size_t columns, Loss loss, const char* expected,
                 Fits fits) {
  for (std::size_t i = 0; i < rows * columns; ++i) {
    if (fits(targets[i])) continue;
    refuse("targets", std::string("Expected `targets` to be ") + expected + " for " + name_of(loss) +
                          " but received " + std::to_string(targets[i]) + place(i, columns));
  }
}

void expect_sums_of_one(const float* targets, std::size_t rows, std::size_t columns, Loss loss) {
  // Numbers that once were float16 or percentages with two digits are off by less.
  constexpr double kAllowed = 1e-3;
  for (std::size_t row = 0; row < rows; ++row) {
    double sum = 0.0;
    for (std::size_t c = 0; c < columns; ++c) sum += targets[row * columns + c];
    if (std::abs(sum - 1.0) <= kAllowed) continue;
    refuse("targets", std::string("Expected each row of `targets` to add up to 1 for ") + name_of(loss) +
                          " but received a sum of " + std::to_string(sum) + " in row " + std::to_string(row) + ".");
  }
}

}  // namespace

void expect_matching(const LossSpec& loss, Activation last, std::size_t outputs) {
  expect_activation(loss.type, last, outputs);
  expect_options(loss, outputs);
}

void expect_targets(const LossSpec& loss, Activation last, const void* targets, bool classes, std::size_t rows,
                    std::size_t outputs) {
  if (classes) return expect_classes(static_cast<const std::int32_t*>(targets), rows, outputs);
  const auto* numbers = static_cast<const float*>(targets);
  switch (loss.type) {
    case Loss::kBinaryCrossEntropy:
    case Loss::kCategoricalCrossEntropy:
    case Loss::kKullbackLeibler:
      expect_each(numbers, rows, outputs, loss.type, "between 0 and 1", [](float t) { return t >= 0.0f && t <= 1.0f; });
      if (is_normalized(last)) expect_sums_of_one(numbers, rows, outputs, loss.type);
      return;
    case Loss::kHinge:
      expect_each(numbers, rows, outputs, loss.type, "-1 or 1 (or 0 or 1)",
                  [](float t) { return t == -1.0f || t == 0.0f || t == 1.0f; });
      return;
    case Loss::kPoisson:
      expect_each(numbers, rows, outputs, loss.type, "0 or a positive number",
                  [](float t) { return t >= 0.0f && std::isfinite(t); });
      return;
    default:
      expect_each(numbers, rows, outputs, loss.type, "finite", [](float t) { return std::isfinite(t); });
  }
}

void expect_weights(const float* weights, std::size_t rows) {
  for (std::size_t row = 0; weights != nullptr && row < rows; ++row) {
    if (weights[row] >= 0.0f && std::isfinite(weights[row])) continue;
    refuse("weights", "Expected `weights` to be 0 or a positive number but received " + std::to_string(weights[row]) +
                          " in row " + std::to_string(row) + ".");
  }
}

}  // namespace millrace
