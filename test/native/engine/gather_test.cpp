#include <bit>
#include <cstring>
#include <limits>

#include "check.h"
#include "engine/kernels.h"
#include "matrices.h"

namespace millrace::test {
namespace {

constexpr ElementType kTypes[] = {ElementType::kUint8, ElementType::kFloat16, ElementType::kFloat32,
                                  ElementType::kInt32};

/// A block of numbers as stored, exactly as large as said, so that a read past its end is caught by the sanitizer, and
/// the numbers themselves. A half is kept by its bits.
struct Block {
  ElementType type;
  std::size_t columns;
  std::vector<std::byte> stored;
  Matrix values;

  Block(ElementType t, std::size_t rows, std::size_t c, std::uint64_t seed)
      : type(t), columns(c), stored(rows * c * size_of(t)), values(rows, c) {
    Random random(seed, RandomPurpose::kShuffle, 1);
    for (std::size_t i = 0; i < rows * c; ++i) {
      // A third are zero.
      const std::uint32_t number = random.below(3) == 0 ? 0 : random.below(201);
      put(i, number);
    }
  }

 private:
  template <typename Element>
  void write(std::size_t i, Element element) {
    std::memcpy(stored.data() + i * sizeof(Element), &element, sizeof(Element));
  }
  void put(std::size_t i, std::uint32_t number) {
    const float signed_number = static_cast<float>(number) - (number == 0 ? 0.0f : 100.0f);
    values.flat[i] = type == ElementType::kUint8 ? static_cast<float>(number) : signed_number;
    switch (type) {
      case ElementType::kUint8:
        return write(i, static_cast<std::uint8_t>(number));
      case ElementType::kFloat16:
        return write(i, half_of(signed_number));
      case ElementType::kFloat32:
        return write(i, signed_number);
      case ElementType::kInt32:
        return write(i, static_cast<std::int32_t>(signed_number));
    }
  }
  // Of an integer below 2048 in size, whose half is exact.
  static std::uint16_t half_of(float integer) {
    if (integer == 0.0f) return 0;
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(integer);
    return static_cast<std::uint16_t>((bits >> 16 & 0x8000) | ((bits & 0x7fffffff) - 0x38000000) >> 13);
  }
};

void expect_gathered(const Kernels& k, const std::vector<Block>& blocks, std::size_t rows, bool masked) {
  const std::vector<std::uint32_t> order{4, 0, 3, 3, 1};
  std::size_t columns = 0;
  for (const Block& block : blocks) columns += block.columns;
  // Whatever was there before must be gone.
  AlignedBuffer<float> output(panel_size(rows, columns), 7.0f);
  std::vector<std::uint16_t> masks(panel_count(columns) * rows, 0xffff);
  for (const Range part : {Range{0, 2}, Range{2, rows}}) {
    std::size_t first = 0;
    for (const Block& block : blocks) {
      const float scale = 0.5f + static_cast<float>(first);
      k.gather({block.stored.data(), block.type, block.columns, first, order.data(), 0, scale, 50.0f, output.data(), rows,
                masked ? masks.data() : nullptr},
               part);
      first += block.columns;
    }
  }
  std::size_t first = 0;
  for (const Block& block : blocks) {
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::size_t column = 0; column < block.columns; ++column) {
        const float expected = block.values.at(order[row], column) * (0.5f + static_cast<float>(first)) + 50.0f;
        CHECK(output[panel_offset(rows, row, first + column)] == expected);
      }
    }
    first += block.columns;
  }
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t column = 0; column < padded(columns); ++column) {
      const float element = output[panel_offset(rows, row, column)];
      if (column >= columns) CHECK(element == 0.0f);
      if (!masked) continue;
      const bool set = (masks[column / kPanelWidth * rows + row] >> (column % kPanelWidth) & 1) != 0;
      CHECK(set == (element != 0.0f));
    }
  }
}

TEST("gather reads every type from every column on, with and without masks") {
  for (const Kernels* k : available_kernels()) {
    for (const ElementType type : kTypes) {
      for (std::size_t before = 0; before <= 17; ++before) {
        for (const std::size_t columns : {1, 3, 15, 16, 17, 33, 97}) {
          std::vector<Block> blocks;
          if (before > 0) blocks.emplace_back(ElementType::kUint8, 5, before, 1);
          blocks.emplace_back(type, 5, columns, 2);
          expect_gathered(*k, blocks, 5, before % 2 == 0);
        }
      }
    }
  }
}

TEST("gather puts many narrow blocks into one line") {
  for (const Kernels* k : available_kernels()) {
    for (const bool masked : {false, true}) {
      std::vector<Block> blocks;
      for (std::uint64_t i = 0; i < 23; ++i) blocks.emplace_back(kTypes[i % 4], 5, 1 + i % 3, i);
      expect_gathered(*k, blocks, 5, masked);
    }
  }
}

TEST("gather without an order takes rows one after the other") {
  const std::vector<float> source{1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f};
  for (const Kernels* k : available_kernels()) {
    AlignedBuffer<float> output(panel_size(2, 2));
    k->gather({source.data(), ElementType::kFloat32, 2, 0, nullptr, 1, 1.0f, 0.0f, output.data(), 2}, {0, 2});
    CHECK(output[0] == 3.0f && output[1] == 4.0f && output[kPanelWidth] == 5.0f && output[kPanelWidth + 1] == 6.0f);
  }
}

double value_of_half(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const double fraction = bits & 1023;
  const double sign = bits >> 15 ? -1.0 : 1.0;
  if (exponent == 31) return fraction == 0.0 ? sign * INFINITY : NAN;
  return sign * (exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024.0 + fraction, exponent - 25));
}

TEST("every half becomes its exact value, whole lines and parts of one alike") {
  constexpr std::size_t kHalves = 65536;
  std::vector<std::uint16_t> halves(kHalves);
  for (std::size_t i = 0; i < kHalves; ++i) halves[i] = static_cast<std::uint16_t>(i);
  for (const Kernels* k : available_kernels()) {
    // 15 columns are read one by one, 16 as a line.
    for (const std::size_t columns : {15, 16}) {
      const std::size_t rows = kHalves / columns;
      AlignedBuffer<float> output(panel_size(rows, columns));
      // The offset -0 keeps the sign of a zero.
      k->gather({halves.data(), ElementType::kFloat16, columns, 0, nullptr, 0, 1.0f, -0.0f, output.data(), rows},
                {0, rows});
      for (std::size_t i = 0; i < rows * columns; ++i) {
        const float actual = output[panel_offset(rows, i / columns, i % columns)];
        const double expected = value_of_half(halves[i]);
        if (std::isnan(expected)) {
          CHECK(std::isnan(actual));
        } else {
          CHECK(actual == expected && std::signbit(actual) == std::signbit(expected));
        }
      }
    }
  }
}

TEST("a number is scaled and moved in two roundings, on every processor") {
  std::vector<float> source(200);
  for (std::size_t i = 0; i < source.size(); ++i) source[i] = static_cast<float>(i) * 0.37f;
  const float scale = 1.0f / 3.7f, offset = -31.3f;
  for (const Kernels* k : available_kernels()) {
    AlignedBuffer<float> output(panel_size(1, source.size()));
    k->gather({source.data(), ElementType::kFloat32, source.size(), 0, nullptr, 0, scale, offset, output.data(), 1},
              {0, 1});
    for (std::size_t i = 0; i < source.size(); ++i) {
      const volatile float product = source[i] * scale;
      CHECK(output[i] == product + offset);
    }
  }
}

TEST("a mask marks NaN, and neither zero") {
  const std::vector<float> source{0.0f, -0.0f, 1.0f, std::numeric_limits<float>::quiet_NaN()};
  for (const Kernels* k : available_kernels()) {
    for (const std::size_t repeats : {1, 4}) {
      std::vector<float> row;
      for (std::size_t i = 0; i < repeats; ++i) row.insert(row.end(), source.begin(), source.end());
      AlignedBuffer<float> output(panel_size(1, row.size()));
      std::uint16_t mask = 0;
      k->gather({row.data(), ElementType::kFloat32, row.size(), 0, nullptr, 0, 1.0f, 0.0f, output.data(), 1, &mask},
                {0, 1});
      CHECK(mask == (repeats == 1 ? 0x000c : 0xcccc));
    }
  }
}

}  // namespace
}  // namespace millrace::test
