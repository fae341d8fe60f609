#pragma once

#include <vector>

#include "engine/images/augmentation.h"
#include "fields.h"

namespace millrace::binding {

/// The trainer option `augmentations`; none where it is not given.
std::vector<AugmentationSpec> to_augmentations(const Fields& options);

}  // namespace millrace::binding
