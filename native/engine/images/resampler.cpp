#include "resampler.h"

#include <algorithm>
#include <utility>

#include "../kernels.h"
#include "placement.h"

namespace millrace {
namespace {

constexpr double kPixelsLeft = 3.0;

// In pixels of what is stored. Read backwards, a picture of 9 pixels that is stored as 5 of 2 begins with half a pixel.
AxisPlacement stored_placement(AxisPlacement placement, double scale, std::uint32_t length, std::uint32_t stored,
                               bool reversed) {
  const double before = reversed ? stored - length * scale : 0.0;
  placement.begin = placement.begin * scale + before;
  placement.end = placement.end * scale + before;
  return placement;
}

std::uint8_t luma(const std::uint8_t* pixel) {
  return static_cast<std::uint8_t>((pixel[0] * 19595 + pixel[1] * 38470 + pixel[2] * 7471 + 0x8000) >> 16);
}

std::size_t rounded_up(std::size_t size, std::size_t multiple) { return (size + multiple - 1) / multiple * multiple; }

}  // namespace

Turn turn_of(unsigned orientation) {
  switch (orientation) {
    case 2:
      return {false, true, false};
    case 3:
      return {false, true, true};
    case 4:
      return {false, false, true};
    case 5:
      return {true, false, false};
    case 6:
      return {true, true, false};
    case 7:
      return {true, true, true};
    case 8:
      return {true, false, true};
    default:
      return {};
  }
}

Resampler::Resampler(const ImageSource& source, const ImageForm& form)
    : form_(form), turn_(source.turn), placement_(place(source.size, form)) {
  auto [across, down] = source.stored;
  if (turn_.transposed) std::swap(across, down);
  auto x = weigh(stored_placement(placement_.x, source.scale_x, source.size.width, across, turn_.x_reversed), form.filter,
                 across, turn_.x_reversed);
  auto y = weigh(stored_placement(placement_.y, source.scale_y, source.size.height, down, turn_.y_reversed), form.filter,
                 down, turn_.y_reversed);
  horizontal_ = std::move(turn_.transposed ? y : x);
  vertical_ = std::move(turn_.transposed ? x : y);
  stride_ = rounded_up(horizontal_->spans.size() * 4, 16);
  rows_ = std::make_unique_for_overwrite<std::uint8_t[]>(stride_ * (vertical_->end - vertical_->begin + 1));
}

void Resampler::add_rows(const std::uint8_t* pixels, std::size_t stride, std::size_t count) {
  const std::size_t begin = std::clamp<std::size_t>(vertical_->begin, next_row_, next_row_ + count) - next_row_;
  const std::size_t end = std::clamp<std::size_t>(vertical_->end, next_row_, next_row_ + count) - next_row_;
  for (std::size_t i = begin; i < end; i += 2) {
    const std::size_t other = std::min(i + 1, end - 1);
    const auto output = [&](std::size_t row) { return rows_.get() + (next_row_ + row - vertical_->begin) * stride_; };
    kernels().resample_row({{pixels + i * stride, pixels + other * stride},
                            horizontal_->spans.data(),
                            horizontal_->weights.data(),
                            horizontal_->spans.size(),
                            {output(i), output(other)}});
  }
  next_row_ += static_cast<std::uint32_t>(count);
}

void Resampler::finish(std::span<std::uint8_t> output) {
  if (placement_.x.count < form_.size.width || placement_.y.count < form_.size.height) {
    std::fill(output.begin(), output.end(), std::uint8_t{0});
  }
  const auto line = std::make_unique_for_overwrite<std::uint8_t[]>(stride_);
  const std::size_t width = form_.size.width, channels = form_.channels;
  const std::size_t step = (turn_.transposed ? width : 1) * channels;
  for (std::size_t i = 0; i < vertical_->spans.size(); ++i) {
    const WeightSpan& span = vertical_->spans[i];
    kernels().resample_column({rows_.get() + (span.first_pixel - vertical_->begin) * stride_, stride_,
                               vertical_->weights.data() + span.first_four, span.count, line.get()});
    const std::size_t x = placement_.x.offset + (turn_.transposed ? i : 0);
    const std::size_t y = placement_.y.offset + (turn_.transposed ? 0 : i);
    std::uint8_t* to = output.data() + (y * width + x) * channels;
    const std::uint8_t* from = line.get();
    for (std::size_t k = 0; k < horizontal_->spans.size(); ++k, from += 4, to += step) {
      if (channels == 1) {
        *to = luma(from);
      } else {
        std::copy_n(from, 3, to);
      }
    }
  }
}

unsigned early_shrink(ImageSize size, const ImageForm& form, std::span<const unsigned> divisors) {
  if (form.filter == ImageFilter::kNearest) return 1;
  const auto [x, y] = place(size, form);
  const double ratio = std::min((x.end - x.begin) / x.scaled, (y.end - y.begin) / y.scaled);
  const auto divisor =
      std::find_if(divisors.begin(), divisors.end(), [=](unsigned d) { return ratio >= kPixelsLeft * d; });
  return divisor == divisors.end() ? 1 : *divisor;
}

}  // namespace millrace
