#include "loss.h"

#include <cmath>
#include <string>

#include "error.h"
#include "panel.h"

namespace millrace {
namespace {

std::size_t source_row(const LossBatch& b, std::size_t row) {
  return b.order == nullptr ? b.first_row + row : b.order[row];
}

const float* target_row(const LossBatch& b, std::size_t row) {
  return static_cast<const float*>(b.targets) + source_row(b, row) * b.columns;
}

void clear_padding(const LossBatch& b, std::size_t row) {
  if (b.error == nullptr) return;
  for (std::size_t c = b.columns; c < padded(b.columns); ++c) b.error[panel_offset(b.matrix_rows, row, c)] = 0.0f;
}

void mean_squared_error(const LossBatch& b, std::size_t row) {
  const float* target = target_row(b, row);
  const float share = 2.0f * b.weight / static_cast<float>(b.columns);
  double total = 0.0;
  for (std::size_t c = 0; c < b.columns; ++c) {
    const std::size_t at = panel_offset(b.matrix_rows, row, c);
    const float difference = b.outputs[at] - target[c];
    total += static_cast<double>(difference) * difference;
    if (b.error != nullptr) b.error[at] = difference * share;
  }
  b.row_loss[row] = total / static_cast<double>(b.columns);
  b.row_correct[row] = 0;
}

void binary_cross_entropy(const LossBatch& b, std::size_t row) {
  const float* target = target_row(b, row);
  const float share = b.weight / static_cast<float>(b.columns);
  double total = 0.0;
  std::uint32_t correct = 0;
  for (std::size_t c = 0; c < b.columns; ++c) {
    const std::size_t at = panel_offset(b.matrix_rows, row, c);
    const double z = b.logits[at];
    // `z > 0 ? z : 0` may hide a NaN here, but the product and the exponential keep it.
    total += (z > 0.0 ? z : 0.0) - z * target[c] + std::log1p(std::exp(-std::abs(z)));
    correct += (z > 0.0) == (target[c] > 0.5f);
    if (b.error != nullptr) b.error[at] = (b.outputs[at] - target[c]) * share;
  }
  b.row_loss[row] = total / static_cast<double>(b.columns);
  b.row_correct[row] = correct;
}

// -log p is exact enough while p is far from underflow; beyond, the sum is taken again in doubles.
double negative_log_probability(const LossBatch& b, std::size_t row, std::size_t label) {
  constexpr float kSafe = 1e-20f;
  const float probability = b.outputs[panel_offset(b.matrix_rows, row, label)];
  if (probability > kSafe) return -std::log(static_cast<double>(probability));
  double top = -INFINITY;
  for (std::size_t c = 0; c < b.columns; ++c) {
    const double z = b.logits[panel_offset(b.matrix_rows, row, c)];
    if (!(z <= top)) top = z;
  }
  double total = 0.0;
  for (std::size_t c = 0; c < b.columns; ++c) {
    total += std::exp(static_cast<double>(b.logits[panel_offset(b.matrix_rows, row, c)]) - top);
  }
  return std::log(total) - (static_cast<double>(b.logits[panel_offset(b.matrix_rows, row, label)]) - top);
}

void categorical_cross_entropy(const LossBatch& b, std::size_t row) {
  const auto label = static_cast<std::size_t>(static_cast<const std::int32_t*>(b.targets)[source_row(b, row)]);
  b.row_loss[row] = negative_log_probability(b, row, label);
  b.row_correct[row] = largest(b.outputs, b.matrix_rows, row, b.columns) == label;
  if (b.error == nullptr) return;
  for (std::size_t c = 0; c < b.columns; ++c) {
    const std::size_t at = panel_offset(b.matrix_rows, row, c);
    b.error[at] = (b.outputs[at] - (c == label ? 1.0f : 0.0f)) * b.weight;
  }
}

}  // namespace

void expect_matching(Loss loss, Activation last, std::size_t outputs) {
  if (loss == Loss::kCategoricalCrossEntropy && (last != Activation::kSoftmax || outputs < 2)) {
    refuse("loss", "Expected the last layer to have softmax and at least 2 units for categoricalCrossEntropy.");
  }
  if (loss == Loss::kBinaryCrossEntropy && last != Activation::kSigmoid) {
    refuse("loss", "Expected the last layer to have sigmoid for binaryCrossEntropy.");
  }
}

std::size_t largest(const float* outputs, std::size_t matrix_rows, std::size_t row, std::size_t columns) {
  std::size_t best = 0;
  float top = outputs[panel_offset(matrix_rows, row, 0)];
  for (std::size_t c = 1; c < columns; ++c) {
    const float value = outputs[panel_offset(matrix_rows, row, c)];
    if (value > top) {
      top = value;
      best = c;
    }
  }
  return best;
}

void loss_rows(const LossBatch& batch, Range rows) {
  for (std::size_t row = rows.begin; row < rows.end; ++row) {
    switch (batch.loss) {
      case Loss::kMeanSquaredError:
        mean_squared_error(batch, row);
        break;
      case Loss::kBinaryCrossEntropy:
        binary_cross_entropy(batch, row);
        break;
      case Loss::kCategoricalCrossEntropy:
        categorical_cross_entropy(batch, row);
        break;
    }
    clear_padding(batch, row);
  }
}

}  // namespace millrace
