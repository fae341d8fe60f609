#pragma once

#include <cstddef>
#include <cstdint>

#include "activation.h"
#include "kernels.h"

namespace millrace {

enum class Loss { kMeanSquaredError, kBinaryCrossEntropy, kCategoricalCrossEntropy };

/// Whether targets are one class index a row, or [rows, outputs] numbers.
constexpr bool takes_labels(Loss loss) { return loss == Loss::kCategoricalCrossEntropy; }
/// Whether the loss knows what a right answer is.
constexpr bool has_accuracy(Loss loss) { return loss != Loss::kMeanSquaredError; }

/// Refuses a loss that does not fit the last activation: categorical cross-entropy needs softmax, binary cross-entropy
/// needs sigmoid, so that both can be taken from the logits, where they are stable.
void expect_matching(Loss loss, Activation last, std::size_t outputs);

/// One batch at the end of the network; matrices in panels of `matrix_rows` rows.
struct LossBatch {
  Loss loss;
  const float* logits;
  const float* outputs;          // the last activation of the logits
  std::size_t matrix_rows;
  std::size_t columns;
  const void* targets;           // int32 class of each source row, or float [source rows, columns]
  const std::uint32_t* order;    // source row of each row; null for `first_row` onwards
  std::size_t first_row;
  float weight;                  // 1 / rows of the whole batch
  /// Gradient of the batch's mean loss, padding included: with respect to the logits where loss and activation are
  /// fused, to the outputs otherwise (`is_fused`). May be null when only the loss is wanted.
  float* error;
  double* row_loss;              // one a row
  std::uint32_t* row_correct;    // one a row: right answers, out of `answers_per_row`
};

constexpr bool is_fused(Loss loss) { return loss != Loss::kMeanSquaredError; }
constexpr std::size_t answers_per_row(Loss loss, std::size_t columns) {
  return loss == Loss::kBinaryCrossEntropy ? columns : 1;
}

/// Formulas, for a row with outputs p (n columns) and target t or class y:
/// - mean squared error: sum_i (p_i - t_i)^2 / n
/// - binary cross-entropy: sum_i (max(z_i, 0) - z_i t_i + log(1 + exp(-|z_i|))) / n, z the logits
/// - categorical cross-entropy: log(sum_i exp(z_i - z_max)) - (z_y - z_max)
void loss_rows(const LossBatch&, Range rows);

/// The index of the largest output of a row, the first one among equals.
std::size_t largest(const float* outputs, std::size_t matrix_rows, std::size_t row, std::size_t columns);

}  // namespace millrace
