#include "table_features.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

namespace millrace {
namespace {

/// Rows whose features are made together stay in the first-level cache while one column after the other writes its own.
constexpr std::size_t kBlockBytes = 32 * 1024;
constexpr std::size_t kBlockRowsMax = 512;
constexpr std::int64_t kSafeInteger = (std::int64_t{1} << 53) - 1;

using Rows = std::span<const std::int32_t>;
using Block = std::array<double, kBlockRowsMax>;

bool is_valid(Validity validity, std::int32_t row) {
  return validity == nullptr || (validity[row >> 3] >> (row & 7) & 1) != 0;
}

template <typename Value>
bool gather(const void* column, Rows rows, Validity validity, Block& block) {
  const auto* values = static_cast<const Value*>(column);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Value value = values[rows[i]];
    if constexpr (sizeof(Value) == 8 && std::is_integral_v<Value>) {
      const bool is_safe = value <= static_cast<Value>(kSafeInteger) &&
                           (std::is_unsigned_v<Value> || value >= static_cast<Value>(-kSafeInteger));
      if (!is_safe && is_valid(validity, rows[i])) return false;
    }
    block[i] = static_cast<double>(value);
  }
  return true;
}

bool gather(const NumberFeature& column, Rows rows, Block& block) {
  const auto read = [&]<typename Value>(Value) {
    return gather<Value>(column.values, rows, column.validity, block);
  };
  switch (column.type) {
    case Datatype::kInt8:
      return read(std::int8_t{});
    case Datatype::kInt16:
      return read(std::int16_t{});
    case Datatype::kInt32:
      return read(std::int32_t{});
    case Datatype::kInt64:
      return read(std::int64_t{});
    case Datatype::kUint8:
      return read(std::uint8_t{});
    case Datatype::kUint16:
      return read(std::uint16_t{});
    case Datatype::kUint32:
      return read(std::uint32_t{});
    case Datatype::kUint64:
      return read(std::uint64_t{});
    case Datatype::kFloat32:
      return read(float{});
    case Datatype::kFloat64:
      return read(double{});
    default:
      return false;
  }
}

bool fill(const NumberFeature& column, Rows rows, Block& block) {
  if (column.validity == nullptr) return true;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (is_valid(column.validity, rows[i])) continue;
    if (column.filling == nullptr) return false;
    block[i] = *column.filling;
  }
  return true;
}

bool write_numbers(const NumberFeature& column, Rows rows, float* target, std::size_t row_width) {
  Block block;
  if (!gather(column, rows, block) || !fill(column, rows, block)) return false;
  for (const auto [subtract, divide] : column.steps) {
    for (std::size_t i = 0; i < rows.size(); ++i) block[i] = (block[i] - subtract) / divide;
  }
  // Of a float64 that is larger, or NaN, the float32 has no finite value.
  bool is_finite = true;
  for (std::size_t i = 0; i < rows.size(); ++i) is_finite &= std::isfinite(static_cast<float>(block[i]));
  if (!is_finite) return false;
  if (target == nullptr) return true;
  for (std::size_t i = 0; i < rows.size(); ++i) target[i * row_width + column.offset] = static_cast<float>(block[i]);
  return true;
}

bool write_categories(const CategoryFeature& column, Rows rows, float* target, std::size_t row_width) {
  const auto& [bytes, size, offsets, validity] = column.texts;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::int32_t row = rows[i];
    if (!is_valid(validity, row)) return false;
    if (target == nullptr) continue;
    const auto length = static_cast<std::size_t>(offsets[row + 1] - offsets[row]);
    std::size_t place = column.categories->find(bytes + offsets[row], length, bytes + size);
    if (place == TextIndex::kNone) {
      if (!column.has_unseen) continue;
      place = column.categories->size();
    }
    target[i * row_width + column.offset + place] = 1;
  }
  return true;
}

/// What `write_features` is given.
struct Features {
  std::span<const NumberFeature> numbers;
  std::span<const CategoryFeature> categories;
  Rows rows;
  float* target;
  std::size_t row_width;
};

bool write_blocks(const Features& features) {
  const auto& [numbers, categories, rows, target, row_width] = features;
  const std::size_t block_rows =
      std::clamp<std::size_t>(kBlockBytes / (sizeof(float) * std::max<std::size_t>(row_width, 1)), 16, kBlockRowsMax);
  for (std::size_t first = 0; first < rows.size(); first += block_rows) {
    const Rows block = rows.subspan(first, std::min(block_rows, rows.size() - first));
    float* block_target = target == nullptr ? nullptr : target + first * row_width;
    if (block_target != nullptr) std::fill_n(block_target, block.size() * row_width, 0.0f);
    for (const NumberFeature& column : numbers) {
      if (!write_numbers(column, block, block_target, row_width)) return false;
    }
    for (const CategoryFeature& column : categories) {
      if (!write_categories(column, block, block_target, row_width)) return false;
    }
  }
  return true;
}

#if defined(MILLRACE_X86_KERNELS)
/// The same code for wider registers, without fused multiply-add: the same bits.
[[gnu::target("avx2"), gnu::flatten]] bool write_blocks_avx2(const Features& features) {
  return write_blocks(features);
}
#endif

}  // namespace

bool write_features(std::span<const NumberFeature> numbers, std::span<const CategoryFeature> categories, Rows rows,
                    float* target, std::size_t row_width, InstructionSet set) {
  const Features features{numbers, categories, rows, target, row_width};
#if defined(MILLRACE_X86_KERNELS)
  if (set != InstructionSet::kPortable) return write_blocks_avx2(features);
#endif
  (void)set;
  return write_blocks(features);
}

std::vector<TextCount> count_texts(const TextColumn& texts, Rows rows) {
  TextIndex index(texts.bytes + texts.size);
  std::vector<TextCount> counts;
  for (const std::int32_t row : rows) {
    if (!is_valid(texts.validity, row)) continue;
    const std::int32_t from = texts.offsets[row];
    const std::size_t place = index.add(texts.bytes + from, static_cast<std::size_t>(texts.offsets[row + 1] - from));
    if (place == counts.size()) counts.push_back({row, 0});
    ++counts[place].count;
  }
  return counts;
}

}  // namespace millrace
