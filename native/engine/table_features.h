#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "datatype.h"
#include "instruction_set.h"
#include "text_index.h"

namespace millrace {

/// One bit a row, least significant first, 0: the value is missing; null: none is.
using Validity = const std::uint8_t*;

/// y = (x - subtract) / divide, in float64.
struct Affine {
  double subtract;
  double divide;
};

/// A column of numbers that become one float32 each.
struct NumberFeature {
  /// kInt8 to kUint64, kFloat32 or kFloat64; [rows].
  Datatype type;
  const void* values;
  Validity validity;
  /// Of what is missing; null: that is refused.
  const double* filling;
  /// One after the other.
  std::vector<Affine> steps;
  /// Place in a row of the matrix.
  std::size_t offset;
};

/// UTF-8; text i is bytes[offsets[i] .. offsets[i + 1]].
struct TextColumn {
  const std::uint8_t* bytes;
  std::size_t size;
  const std::int32_t* offsets;
  Validity validity;
};

/// A column of texts that become one float32 a category: 1 for its own and 0 for all others. What is missing is refused.
struct CategoryFeature {
  TextColumn texts;
  const TextIndex* categories;
  /// One more for every other text, after those of the categories; else such a text is all zeros.
  bool has_unseen;
  std::size_t offset;
};

/// Float32 features of `rows`, which index the columns: target[rows.size(), row_width], of which all that is no feature of
/// these columns becomes 0. Null: they are checked only. The same bits on every processor.
/// @return false: a value is missing that must not be, beyond 2^53 or too large for a float32; which one, the caller finds out
bool write_features(std::span<const NumberFeature> numbers, std::span<const CategoryFeature> categories,
                    std::span<const std::int32_t> rows, float* target, std::size_t row_width,
                    InstructionSet set = instruction_set());

/// How often each text occurs, in the order in which they come first.
struct TextCount {
  std::int32_t first_row;
  std::uint32_t count;
};

/// Of `rows`, which index the column; those that are missing do not count.
std::vector<TextCount> count_texts(const TextColumn& texts, std::span<const std::int32_t> rows);

}  // namespace millrace
