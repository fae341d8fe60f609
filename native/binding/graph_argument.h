#pragma once

#include <napi.h>

#include "engine/prediction_graph.h"

namespace millrace::binding {

/// Weights are views of the argument's arrays, valid while the call lasts.
GraphSpec to_graph_spec(const Napi::Value&);

}  // namespace millrace::binding
