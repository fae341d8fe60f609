#pragma once

#include <napi.h>

#include "engine/loss.h"

namespace millrace::binding {

/// The `loss` of a trainer's options: a name, or an object with `type` and the loss's options.
LossSpec to_loss(const Napi::Value&);

}  // namespace millrace::binding
