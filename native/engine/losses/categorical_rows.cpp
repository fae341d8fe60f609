#include <cmath>

#include "loss_rows.h"

namespace millrace {
namespace {

// -log p is exact enough while p is far from underflow, and need not wait for the largest output.
double negative_log_probability(const LossBatch& b, std::size_t row, std::size_t label, std::size_t top) {
  constexpr float kSafe = 1e-20f;
  const std::size_t at = panel_offset(b.matrix_rows, row, label);
  const float p = probability(b, at);
  return p > kSafe ? -std::log(static_cast<double>(p)) : log_partition(b, row, top) - b.logits[at];
}

/// Class indices without smoothing: the usual case, and the fast one.
void class_rows(const LossBatch& b, Range rows) {
  for (std::size_t row = rows.begin; row < rows.end; ++row) {
    const auto label = static_cast<std::size_t>(static_cast<const std::int32_t*>(b.targets)[source_row(b, row)]);
    const std::size_t top = largest(b.outputs, b.matrix_rows, row, b.columns);
    const float weight = row_weight(b, row, label);
    const float share = weight * b.share;
    b.row_loss[row] = weight * negative_log_probability(b, row, label, top);
    b.row_correct[row] = top == label;
    if (b.error == nullptr) continue;
    for (std::size_t c = 0; c < b.columns; ++c) {
      const std::size_t at = panel_offset(b.matrix_rows, row, c);
      b.error[at] = (probability(b, at) - (c == label ? 1.0f : 0.0f)) * share;
    }
  }
}

/// Any targets: -sum_c t_c log p_c, whose slope is p_c sum(t) - t_c, since given probabilities are only nearly 1 together.
void probability_rows(const LossBatch& b, Range rows) {
  const auto kept = static_cast<float>(1.0 - b.loss.label_smoothing);
  const auto spread = static_cast<float>(b.loss.label_smoothing / static_cast<double>(b.columns));
  for (std::size_t row = rows.begin; row < rows.end; ++row) {
    const std::size_t label = target_class(b.targets, b.classes, source_row(b, row), b.columns);
    const float* given = b.classes ? nullptr : target_row(b, row);
    const auto target = [&](std::size_t c) {
      return (given != nullptr ? given[c] : c == label ? 1.0f : 0.0f) * kept + spread;
    };
    const std::size_t top = largest(b.outputs, b.matrix_rows, row, b.columns);
    const double partition = log_partition(b, row, top);
    double total = 0.0;
    float targets = 0.0f;
    for (std::size_t c = 0; c < b.columns; ++c) {
      total += target(c) * (partition - b.logits[panel_offset(b.matrix_rows, row, c)]);
      targets += target(c);
    }
    const float weight = row_weight(b, row, label);
    const float share = weight * b.share;
    b.row_loss[row] = weight * total;
    b.row_correct[row] = top == label;
    if (b.error == nullptr) continue;
    for (std::size_t c = 0; c < b.columns; ++c) {
      const std::size_t at = panel_offset(b.matrix_rows, row, c);
      b.error[at] = (probability(b, at) * targets - target(c)) * share;
    }
  }
}

}  // namespace

void categorical_rows(const LossBatch& b, Range rows) {
  if (b.classes && b.loss.label_smoothing == 0.0) {
    class_rows(b, rows);
  } else {
    probability_rows(b, rows);
  }
}

}  // namespace millrace
