#pragma once

#include <cstddef>
#include <cstdint>

namespace millrace {

/// Fraction bits of a resampling weight: 8 bits of a pixel and 2 for sums beyond 0..1 remain of 32 (Pillow's Resample.c).
inline constexpr int kResamplingBits = 22;
/// A weight is `upper` * 2^15 + `lower`, of 16 bits each: processors multiply and add those in pairs at once.
inline constexpr int kLowerWeightBits = 15;

/// Of four pixels that follow one another, 0 where there are fewer: those of the first two in turn, four times for the four
/// channels, and then of the other two.
struct alignas(32) FourWeights {
  std::int16_t upper[16];
  std::int16_t lower[16];
};

/// Where the weights of one output pixel are, and the first source pixel they are for.
struct WeightSpan {
  std::uint32_t first_pixel;
  std::uint32_t first_four;  // counted in fours
  std::uint32_t count;       // at least 1
};

/// Two rows of pixels [width, 4] become two of [outputs, 4], each by itself: the rounded sum of weights times pixels, cut at 0
/// and 255. They may be the same row twice.
struct RowResampling {
  const std::uint8_t* pixels[2];  // three more than the spans reach may be read
  const WeightSpan* spans;        // one an output
  const FourWeights* weights;
  std::size_t outputs;
  std::uint8_t* output[2];
};

/// The same down the columns, for one output row: `rows` follow one another at `stride` bytes, which is a multiple of 16 and
/// what is computed of the output.
struct ColumnResampling {
  const std::uint8_t* rows;  // one more than `count` may be read
  std::size_t stride;
  const FourWeights* weights;
  std::uint32_t count;
  std::uint8_t* output;
};

}  // namespace millrace
