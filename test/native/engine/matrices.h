#pragma once

#include <cstdint>
#include <vector>

#include "engine/aligned_buffer.h"
#include "engine/instruction_set.h"
#include "engine/panel.h"
#include "engine/random.h"

namespace millrace::test {

/// A row-major matrix and the same in panels.
struct Matrix {
  std::size_t rows;
  std::size_t columns;
  std::vector<float> flat;

  Matrix(std::size_t r, std::size_t c) : rows(r), columns(c), flat(r * c) {}

  /// Numbers between -1 and 1.
  static Matrix random(std::size_t rows, std::size_t columns, std::uint64_t seed) {
    Matrix matrix(rows, columns);
    Random random(seed, RandomPurpose::kShuffle, 0);
    for (float& value : matrix.flat) value = 2.0f * random.unit() - 1.0f;
    return matrix;
  }

  float at(std::size_t row, std::size_t column) const { return flat[row * columns + column]; }

  AlignedBuffer<float> panels() const {
    AlignedBuffer<float> result(panel_size(rows, columns));
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t c = 0; c < columns; ++c) result[panel_offset(rows, r, c)] = at(r, c);
    }
    return result;
  }
};

inline std::vector<InstructionSet> available_sets() {
  std::vector<InstructionSet> sets;
  for (const InstructionSet set : {InstructionSet::kPortable, InstructionSet::kAvx2, InstructionSet::kAvx512}) {
    if (is_available(set)) sets.push_back(set);
  }
  return sets;
}

}  // namespace millrace::test
