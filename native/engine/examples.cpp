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

}  // namespace

void expect_trainable(const Examples& examples, const Network& network, const LossSpec& loss) {
  if (!examples.bytes) {
    expect_finite("features", static_cast<const float*>(examples.features), examples.rows, examples.columns);
  }
  expect_targets(loss, network.layers().back().activation, examples.targets, examples.target_classes, examples.rows,
                 network.outputs());
  expect_weights(examples.weights, examples.rows);
}

Gather gather_from(const Examples& examples, const std::uint32_t* order, std::size_t first_row, float* output,
                   std::size_t output_rows) {
  return {examples.features, examples.bytes, examples.columns, order,      first_row,
          examples.scale,    examples.offset, output,           output_rows};
}

}  // namespace millrace
