#pragma once

#include <cstddef>
#include <cstdint>

namespace millrace {

/// Fraction bits of a resampling weight: 8 bits of a pixel and 2 for sums beyond 0..1 remain of 32 (Pillow's Resample.c).
inline constexpr int kResamplingBits = 22;

/// Where the weights of one output pixel are, and the first source pixel they are for.
struct WeightSpan {
  std::uint32_t first_pixel;
  std::uint32_t first_weight;  // counted in weights
  std::uint32_t count;         // at least 1; followed by a weight of 0 where it is odd
};

/// One row of pixels [width, 4] becomes one of [outputs, 4]: each the rounded sum of weights times pixels, cut at 0 and 255.
struct RowResampling {
  const std::uint8_t* pixels;   // one more than the spans reach may be read
  const WeightSpan* spans;      // one an output
  const std::int32_t* weights;  // each four times, for the four channels
  std::size_t outputs;
  std::uint8_t* output;
};

/// The same down the columns, for one output row: `rows` follow one another at `stride` bytes, which is a multiple of 8 and
/// what is computed of the output.
struct ColumnResampling {
  const std::uint8_t* rows;
  std::size_t stride;
  const std::int32_t* weights;  // as above, `count` of them
  std::uint32_t count;
  std::uint8_t* output;
};

}  // namespace millrace
