#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "axis_weights.h"
#include "image_form.h"

namespace millrace {

/// How a picture must be turned to stand upright: the `Orientation` of EXIF 2.32, table 6. Its first row is the picture's
/// top (1), bottom (3) and so on.
struct Turn {
  bool transposed = false;   // rows are columns
  bool x_reversed = false;   // of the upright picture, along its own axes
  bool y_reversed = false;
};

Turn turn_of(unsigned exif_orientation);

/// Where the pixels of a picture come from.
struct ImageSource {
  ImageSize size;    // of the picture, upright
  ImageSize stored;  // of what is read, row by row, before it is turned
  double scale_x;    // stored pixels for one of the picture, along the upright axes; 1 unless it was shrunk by its decoder
  double scale_y;
  Turn turn;
};

/// Resizes a picture as Pillow does, to the bit where it stands upright and was not shrunk before: separable convolution,
/// the filter as wide as what becomes one pixel, in fixed point, rows first and both rounded to bytes.
/// Rows come in order and are not kept: memory is 4 bytes for each of the rows read times the columns wanted.
class Resampler {
 public:
  static constexpr std::size_t kBytesBeyondRow = 12;

  Resampler(const ImageSource& source, const ImageForm& form);

  /// The first rows of the source, up to this, are all that is wanted.
  std::uint32_t rows_wanted() const { return vertical_->end; }
  /// The next rows, at `stride` bytes: [count, stored.width, 4], red, green, blue and any; `kBytesBeyondRow` beyond each are
  /// readable.
  void add_rows(const std::uint8_t* pixels, std::size_t stride, std::size_t count);
  /// After `rows_wanted()` rows: [form.size.height, form.size.width, form.channels].
  void finish(std::span<std::uint8_t> output);

 private:
  ImageForm form_;
  Turn turn_;
  Placement placement_;
  std::shared_ptr<const AxisWeights> horizontal_;  // of the rows as they are stored
  std::shared_ptr<const AxisWeights> vertical_;
  std::size_t stride_;  // bytes of a row below
  std::unique_ptr<std::uint8_t[]> rows_;  // resized along the row
  std::uint32_t next_row_ = 0;
};

/// How much a decoder may shrink a picture before it is resized: the greatest of `divisors` (in descending order) that leaves
/// three pixels or more for each one wanted, along both axes; 1 where none does. Pillow's documentation calls that
/// (`reducing_gap=3.0`) hardly distinguishable.
unsigned early_shrink(ImageSize size, const ImageForm& form, std::span<const unsigned> divisors);

}  // namespace millrace
