#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "image_form.h"
#include "placement.h"
#include "resampling_kernels.h"

namespace millrace {

/// The weights of every output pixel along one axis, as Pillow has them (Resample.c), to the bit.
struct AxisWeights {
  std::vector<WeightSpan> spans;  // one for each of the placement's `count`
  std::vector<FourWeights> weights;
  std::uint32_t begin;  // source pixels that have a share: [begin, end)
  std::uint32_t end;
};

/// For a source of `length` pixels. `reversed`: the source is read backwards. A thread remembers the last ones that are small:
/// the pictures of a dataset mostly are of a few sizes.
std::shared_ptr<const AxisWeights> weigh(const AxisPlacement&, ImageFilter, std::uint32_t length, bool reversed);

}  // namespace millrace
