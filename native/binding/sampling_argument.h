#pragma once

#include "engine/sampler.h"
#include "fields.h"

namespace millrace::binding {

/// The field `sampling` of a trainer's options; shuffled when there is none. Copies weights.
SamplingOptions to_sampling(const Fields& options);

}  // namespace millrace::binding
