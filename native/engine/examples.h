#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels.h"
#include "loss.h"
#include "network.h"

namespace millrace {

/// A dataset in memory, read where it lies. A view: the caller keeps the memory alive and unchanged.
struct Examples {
  std::size_t rows;
  std::size_t columns;
  const void* features;  // [rows, columns], uint8 or float32
  bool bytes;
  float scale;   // a feature is float(stored) * scale + offset
  float offset;
  const void* targets;    // float32 [rows, outputs], or int32 [rows] where `target_classes`
  bool target_classes;    // which of the two
  const float* weights = nullptr;  // float32 [rows]: a factor for each row's loss; null for 1
};

/// Refuses what would poison a training, naming row and column: features that are not finite, and what `expect_targets`
/// and `expect_weights` refuse.
void expect_trainable(const Examples&, const Network&, const LossSpec&);

/// How to read rows of the examples into panels of `output_rows` rows: the rows of `order`, or from `first_row` on.
Gather gather_from(const Examples&, const std::uint32_t* order, std::size_t first_row, float* output,
                   std::size_t output_rows);

}  // namespace millrace
