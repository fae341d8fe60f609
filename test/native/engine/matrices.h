#pragma once

#include <cstdint>
#include <vector>

#include "engine/aligned_buffer.h"
#include "engine/instruction_set.h"
#include "engine/kernels.h"
#include "engine/panel.h"
#include "engine/random.h"

namespace millrace::test {

/// Defined in wide_kernels.cpp.
const Kernels& wide_kernels();

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

  /// The same, of which only a share is not zero.
  static Matrix sparse(std::size_t rows, std::size_t columns, double share, std::uint64_t seed) {
    Matrix matrix = random(rows, columns, seed);
    Random random(seed, RandomPurpose::kShuffle, 1);
    for (float& value : matrix.flat) value = random.unit() < share ? value : 0.0f;
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

/// The kernels this processor can run, and the tiles of the AVX-512 ones made of narrower instructions.
inline std::vector<const Kernels*> available_kernels() {
  std::vector<const Kernels*> all;
  for (const InstructionSet set : {InstructionSet::kPortable, InstructionSet::kAvx2, InstructionSet::kAvx512}) {
    if (is_available(set)) all.push_back(&kernels_for(set));
  }
  if (is_available(InstructionSet::kAvx2)) all.push_back(&wide_kernels());
  return all;
}

}  // namespace millrace::test
