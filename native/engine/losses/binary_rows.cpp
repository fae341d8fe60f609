#include <cmath>

#include "loss_rows.h"

namespace millrace {

void binary_rows(const LossBatch& b, Range rows) {
  const auto kept = static_cast<float>(1.0 - b.loss.label_smoothing);
  const auto spread = static_cast<float>(0.5 * b.loss.label_smoothing);
  for (std::size_t row = rows.begin; row < rows.end; ++row) {
    const float* target = target_row(b, row);
    const float weight = row_weight(b, row, target[0] > 0.5f);
    const float share = weight * b.share / static_cast<float>(b.columns);
    double total = 0.0;
    std::uint32_t correct = 0;
    for (std::size_t c = 0; c < b.columns; ++c) {
      const std::size_t at = panel_offset(b.matrix_rows, row, c);
      const double z = b.logits[at];
      const float smoothed = target[c] * kept + spread;
      // `z > 0 ? z : 0` may hide a NaN here, but the product and the exponential keep it.
      total += (z > 0.0 ? z : 0.0) - z * smoothed + std::log1p(std::exp(-std::abs(z)));
      correct += (z > 0.0) == (target[c] > 0.5f);
      if (b.error != nullptr) b.error[at] = (b.outputs[at] - smoothed) * share;
    }
    b.row_loss[row] = weight * total / static_cast<double>(b.columns);
    b.row_correct[row] = correct;
  }
}

}  // namespace millrace
