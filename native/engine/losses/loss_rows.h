#pragma once

#include <cmath>

#include "loss.h"
#include "panel.h"

namespace millrace {

/// The losses by the form of their targets; `loss_rows` chooses. Each writes loss, right answers and, where wanted, the
/// error of the columns (not of the padding).
void number_rows(const LossBatch&, Range rows);
void binary_rows(const LossBatch&, Range rows);
void categorical_rows(const LossBatch&, Range rows);
void divergence_rows(const LossBatch&, Range rows);

inline std::size_t source_row(const LossBatch& b, std::size_t row) {
  return b.order == nullptr ? b.first_row + row : b.order[row];
}

inline const float* target_row(const LossBatch& b, std::size_t row) {
  return static_cast<const float*>(b.targets) + source_row(b, row) * b.columns;
}

/// The weight of a row whose class, where class weights are given, is `label`.
inline float row_weight(const LossBatch& b, std::size_t row, std::size_t label = 0) {
  const float weight = b.weights == nullptr ? 1.0f : b.weights[source_row(b, row)];
  return b.loss.class_weights.empty() ? weight : weight * b.loss.class_weights[label];
}

/// The softmax's probability at a place of the matrices, where the last activation is softmax or log-softmax.
inline float probability(const LossBatch& b, std::size_t at) {
  return b.last == Activation::kLogSoftmax ? std::exp(b.outputs[at]) : b.outputs[at];
}

/// log sum_c exp(z_c) = z_top - log p_top. The largest probability is at least 1 / n: no logits are too large for this,
/// and the rounding of p_top makes 1e-7. `log_partition - z_c` is -log p_c for every c.
inline double log_partition(const LossBatch& b, std::size_t row, std::size_t top) {
  const std::size_t at = panel_offset(b.matrix_rows, row, top);
  const double output = b.outputs[at];
  return static_cast<double>(b.logits[at]) - (b.last == Activation::kLogSoftmax ? output : std::log(output));
}

}  // namespace millrace
