#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "../random.h"

namespace millrace {

struct FeatureBlock;

/// Random changes to an image among the features, which leave what it shows the same. In this order: flips, rotation about the
/// middle, shift, cut-out, noise. What comes in from outside and what is cut out is 0 as it is stored: black.
struct AugmentationSpec {
  std::size_t first_column;  // of the image among the network's inputs: row-major [height, width, channels]
  std::size_t height;
  std::size_t width;
  std::size_t channels;
  float flip_horizontally = 0.0f;  // probability, 0..1
  float flip_vertically = 0.0f;
  float rotation_degrees = 0.0f;  // at most, either way, 0..180; pixels in between are interpolated bilinearly
  std::uint32_t shift = 0;        // pixels at most, along each axis, either way
  std::uint32_t cut_out = 0;      // side of a square around any pixel, cut off at the edges (DeVries and Taylor 2017)
  float noise = 0.0f;             // standard deviation, in units of what the network reads; bytes stay within 0..255

  std::size_t columns() const { return height * width * channels; }
};

/// Applies augmentations to rows of examples: what becomes of a row is a pure function of (seed, epoch, row), so that threads
/// and the point at which an epoch is gone on with make no difference.
class Augmenter {
 public:
  Augmenter(std::vector<AugmentationSpec> specs, std::uint64_t seed);

  /// Before the first `apply` of an epoch. Refuses images that do not lie within one block of bytes or float32.
  void begin(std::span<const FeatureBlock> features, std::uint32_t epoch);

  bool idle() const { return specs_.empty(); }
  /// Whether a block has an image, and so is to be read by `apply`.
  bool changes(const FeatureBlock&, std::size_t first_column) const;
  /// The row of a block as it is to be trained on, before scale and offset: `values` [block.columns]. `first_column` is that
  /// of the block among the network's inputs. Any number of threads may call it at once.
  void apply(const FeatureBlock&, std::size_t first_column, std::uint32_t row, float* values) const;

 private:
  class Draws;

  void change(const AugmentationSpec&, const FeatureBlock&, Draws&, float* image) const;

  std::vector<AugmentationSpec> specs_;
  std::uint64_t seed_;
  std::uint32_t epoch_ = 0;
};

}  // namespace millrace
