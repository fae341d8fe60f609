#include "examples.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "categories.h"
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

// A half is infinite or NaN when all five bits of its exponent are set.
bool is_finite_half(std::uint16_t bits) { return (bits & 0x7c00u) != 0x7c00u; }

bool all_finite(const std::uint16_t* values, std::size_t count) {
  bool finite = true;
  for (std::size_t i = 0; i < count; ++i) finite &= is_finite_half(values[i]);
  return finite;
}

std::string text_of(float value) { return std::to_string(value); }
std::string text_of(std::uint16_t half) { return (half & 0x03ffu) != 0 ? "nan" : half >> 15 ? "-inf" : "inf"; }

bool is_finite(float value) { return std::isfinite(value); }
bool is_finite(std::uint16_t half) { return is_finite_half(half); }

template <typename Element>
void expect_finite(const std::string& field, const Element* values, std::size_t rows, std::size_t columns) {
  if (all_finite(values, rows * columns)) return;
  const Element* found = std::find_if_not(values, values + rows * columns, [](Element value) { return is_finite(value); });
  const auto place = static_cast<std::size_t>(found - values);
  refuse(field, "Expected `" + field + "` to be finite but received " + text_of(*found) + " in row " +
                    std::to_string(place / columns) + ", column " + std::to_string(place % columns) + ".");
}

// Row by row through a row of floats, which the kernel finds at its first row.
void gather_augmented(const FeatureBlock& block, std::size_t first_column, const GatheredRows& target, Range rows) {
  std::vector<float> values(block.columns);
  for (std::size_t row = rows.begin; row < rows.end; ++row) {
    target.augmenter->apply(block, first_column, target.order[row], values.data());
    kernels().gather({values.data(), ElementType::kFloat32, block.columns, first_column, nullptr, std::size_t{0} - row,
                      block.scale, block.offset, target.output, target.output_rows, target.nonzero},
                     {row, row + 1});
  }
}

}  // namespace

void expect_trainable(const Examples& examples, const Network& network, const LossSpec& loss) {
  for (std::size_t index = 0; index < examples.features.size(); ++index) {
    const FeatureBlock& block = examples.features[index];
    const std::string field = "features[" + std::to_string(index) + "].data";
    if (block.type == ElementType::kFloat32) {
      expect_finite(field, static_cast<const float*>(block.data), examples.rows, block.columns);
    } else if (block.type == ElementType::kFloat16) {
      expect_finite(field, static_cast<const std::uint16_t*>(block.data), examples.rows, block.columns);
    }
  }
  expect_targets(loss, network.last_activation(), examples.targets, examples.target_classes, examples.rows,
                 network.outputs());
  expect_weights(examples.weights, examples.rows);
  expect_categories(network, examples);
}

void gather(const Examples& examples, const GatheredRows& target, Range rows) {
  std::size_t first_column = 0;
  for (const FeatureBlock& block : examples.features) {
    if (target.augmenter != nullptr && target.augmenter->changes(block, first_column)) {
      gather_augmented(block, first_column, target, rows);
      first_column += block.columns;
      continue;
    }
    kernels().gather({block.data, block.type, block.columns, first_column, target.order, target.first_row, block.scale,
                      block.offset, target.output, target.output_rows, target.nonzero},
                     rows);
    first_column += block.columns;
  }
}

}  // namespace millrace
