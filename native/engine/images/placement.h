#pragma once

#include <cstdint>

#include "image_form.h"

namespace millrace {

/// How one axis of an image becomes one of the target: source [begin, end), in pixels and parts of them, is scaled to
/// `scaled` pixels, of which `count` from `first` on stand at `offset` in the target. The rest of the target is black.
struct AxisPlacement {
  double begin;
  double end;
  std::uint32_t scaled;
  std::uint32_t first;
  std::uint32_t count;
  std::uint32_t offset;

  bool operator==(const AxisPlacement&) const = default;
};

struct Placement {
  AxisPlacement x;
  AxisPlacement y;
};

/// Refuses another size where the form asks for exactly one, and more than 2^31 pixels a side.
Placement place(ImageSize source, const ImageForm& form);

}  // namespace millrace
