#pragma once

#include "engine/optimization.h"
#include "fields.h"

namespace millrace::binding {

/// The fields `optimizer`, `schedule`, `regularization`, `clipping` and `averaging` of a trainer's options, complete:
/// defaults are filled in by trainer-options.ts. Any of the last four may be null.
OptimizationSpec to_optimization_spec(const Fields& options);

}  // namespace millrace::binding
