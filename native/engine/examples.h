#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "images/augmentation.h"
#include "kernels.h"
#include "loss.h"
#include "network.h"

namespace millrace {

/// Some columns of a dataset: row-major [rows, columns]. A feature is float(stored) * scale + offset.
struct FeatureBlock {
  ElementType type;
  std::size_t columns;
  const void* data;
  float scale = 1.0f;
  float offset = 0.0f;
};

/// A dataset, read where it lies. A view: the caller keeps the memory alive and unchanged.
struct Examples {
  std::size_t rows;
  std::vector<FeatureBlock> features;  // side by side; their columns add up to the network's inputs
  const void* targets;                 // float32 [rows, outputs], or int32 [rows] where `target_classes`
  bool target_classes;                 // which of the two
  const float* weights = nullptr;      // float32 [rows]: a factor for each row's loss; null for 1
};

/// Refuses what would poison a training, naming row and column: features that are not finite, and what `expect_targets`
/// and `expect_weights` refuse.
void expect_trainable(const Examples&, const Network&, const LossSpec&);

/// Which rows of the examples to gather, and where to.
struct GatheredRows {
  const std::uint32_t* order;  // source row of each output row; null for `first_row` onwards
  std::size_t first_row;
  float* output;                     // panels of `output_rows` rows
  std::size_t output_rows;
  std::uint16_t* nonzero = nullptr;  // as in Gather; may be null
  const Augmenter* augmenter = nullptr;  // null: rows are read as they are; otherwise `order` is given
};

/// Reads output rows `rows`, converted and scaled, with the best kernels of this processor.
void gather(const Examples&, const GatheredRows&, Range rows);

}  // namespace millrace
