#include "loss.h"

#include "losses/loss_rows.h"
#include "panel.h"

namespace millrace {
namespace {

void clear_padding(const LossBatch& b, std::size_t row) {
  for (std::size_t c = b.columns; c < padded(b.columns); ++c) b.error[panel_offset(b.matrix_rows, row, c)] = 0.0f;
}

std::size_t largest_target(const float* row, std::size_t columns) {
  std::size_t best = 0;
  for (std::size_t c = 1; c < columns; ++c) {
    if (row[c] > row[best]) best = c;
  }
  return best;
}

}  // namespace

bool is_fused(Loss loss, Activation last) {
  return loss == Loss::kBinaryCrossEntropy || loss == Loss::kCategoricalCrossEntropy ||
         (loss == Loss::kKullbackLeibler && !is_elementwise(last));
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

std::size_t target_class(const void* targets, bool classes, std::size_t source_row, std::size_t columns) {
  if (classes) return static_cast<std::size_t>(static_cast<const std::int32_t*>(targets)[source_row]);
  return largest_target(static_cast<const float*>(targets) + source_row * columns, columns);
}

void loss_rows(const LossBatch& batch, Range rows) {
  switch (batch.loss.type) {
    case Loss::kBinaryCrossEntropy:
      binary_rows(batch, rows);
      break;
    case Loss::kCategoricalCrossEntropy:
      categorical_rows(batch, rows);
      break;
    case Loss::kKullbackLeibler:
      divergence_rows(batch, rows);
      break;
    default:
      number_rows(batch, rows);
  }
  if (batch.error == nullptr) return;
  for (std::size_t row = rows.begin; row < rows.end; ++row) clear_padding(batch, row);
}

}  // namespace millrace
