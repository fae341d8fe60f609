#include "examples.h"

#include <cmath>
#include <string>

#include "error.h"

namespace millrace {
namespace {

// One multiply and add a value: 0 * x is NaN for every x that is not finite, and the sum keeps it. The place is looked
// for only when there is one.
bool all_finite(const float* values, std::size_t count) {
  float lanes[16] = {};
  std::size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    for (int lane = 0; lane < 16; ++lane) lanes[lane] += values[i + lane] * 0.0f;
  }
  for (; i < count; ++i) lanes[0] += values[i] * 0.0f;
  float total = 0.0f;
  for (const float lane : lanes) total += lane;
  return total == 0.0f;
}

void expect_finite(const char* field, const float* values, std::size_t rows, std::size_t columns) {
  if (all_finite(values, rows * columns)) return;
  for (std::size_t i = 0; i < rows * columns; ++i) {
    if (std::isfinite(values[i])) continue;
    refuse(field, "Expected `" + std::string(field) + "` to be finite but received " + std::to_string(values[i]) +
                      " in row " + std::to_string(i / columns) + ", column " + std::to_string(i % columns) + ".");
  }
}

void expect_labels(const std::int32_t* labels, std::size_t rows, std::size_t classes) {
  for (std::size_t row = 0; row < rows; ++row) {
    if (labels[row] >= 0 && static_cast<std::size_t>(labels[row]) < classes) continue;
    refuse("targets", "Expected `targets` to be class indices from 0 to " + std::to_string(classes - 1) +
                          " but received " + std::to_string(labels[row]) + " in row " + std::to_string(row) + ".");
  }
}

void expect_probabilities(const float* targets, std::size_t rows, std::size_t columns) {
  for (std::size_t i = 0; i < rows * columns; ++i) {
    if (targets[i] >= 0.0f && targets[i] <= 1.0f) continue;
    refuse("targets", "Expected `targets` to be between 0 and 1 for binaryCrossEntropy but received " +
                          std::to_string(targets[i]) + " in row " + std::to_string(i / columns) + ", column " +
                          std::to_string(i % columns) + ".");
  }
}

}  // namespace

void expect_trainable(const Examples& examples, const Network& network, Loss loss) {
  if (!examples.bytes) {
    expect_finite("features", static_cast<const float*>(examples.features), examples.rows, examples.columns);
  }
  if (takes_labels(loss)) {
    expect_labels(static_cast<const std::int32_t*>(examples.targets), examples.rows, network.outputs());
    return;
  }
  const auto* targets = static_cast<const float*>(examples.targets);
  expect_finite("targets", targets, examples.rows, network.outputs());
  if (loss == Loss::kBinaryCrossEntropy) expect_probabilities(targets, examples.rows, network.outputs());
}

Gather gather_from(const Examples& examples, const std::uint32_t* order, std::size_t first_row, float* output,
                   std::size_t output_rows) {
  return {examples.features, examples.bytes, examples.columns, order,      first_row,
          examples.scale,    examples.offset, output,           output_rows};
}

}  // namespace millrace
