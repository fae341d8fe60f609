// The Kullback-Leibler divergence of the outputs from the targets.

#include <algorithm>
#include <cmath>

#include "loss_rows.h"

namespace millrace {
namespace {

double negative_entropy(double t) { return t > 0.0 ? t * std::log(t) : 0.0; }

void from_logits(const LossBatch& b, Range rows) {
  for (std::size_t row = rows.begin; row < rows.end; ++row) {
    const float* target = target_row(b, row);
    const double partition = log_partition(b, row, largest(b.outputs, b.matrix_rows, row, b.columns));
    double total = 0.0;
    float targets = 0.0f;
    for (std::size_t c = 0; c < b.columns; ++c) {
      total += negative_entropy(target[c]) + target[c] * (partition - b.logits[panel_offset(b.matrix_rows, row, c)]);
      targets += target[c];
    }
    const float weight = row_weight(b, row);
    b.row_loss[row] = weight * total;
    if (b.error == nullptr) continue;
    for (std::size_t c = 0; c < b.columns; ++c) {
      const std::size_t at = panel_offset(b.matrix_rows, row, c);
      b.error[at] = (probability(b, at) * targets - target[c]) * weight * b.share;
    }
  }
}

void from_outputs(const LossBatch& b, Range rows) {
  constexpr double kLeast = 1e-7;
  for (std::size_t row = rows.begin; row < rows.end; ++row) {
    const float* target = target_row(b, row);
    const float weight = row_weight(b, row);
    double total = 0.0;
    for (std::size_t c = 0; c < b.columns; ++c) {
      const std::size_t at = panel_offset(b.matrix_rows, row, c);
      const double t = std::clamp(static_cast<double>(target[c]), kLeast, 1.0);
      const double p = b.outputs[at];
      // Comparisons and std::clamp leave NaN as it is.
      total += t * std::log(t / std::clamp(p, kLeast, 1.0));
      const bool clamped = p < kLeast || p > 1.0;
      if (b.error != nullptr) b.error[at] = clamped ? 0.0f : static_cast<float>(-t / p * weight * b.share);
    }
    b.row_loss[row] = weight * total;
  }
}

}  // namespace

void divergence_rows(const LossBatch& b, Range rows) {
  for (std::size_t row = rows.begin; row < rows.end; ++row) b.row_correct[row] = 0;
  if (is_fused(b.loss.type, b.last)) {
    from_logits(b, rows);
  } else {
    from_outputs(b, rows);
  }
}

}  // namespace millrace
