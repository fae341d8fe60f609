#pragma once

#include <napi.h>

#include "engine/initializer.h"
#include "fields.h"

namespace millrace::binding {

/// A field that is an initializer's name, or {type: 'constant', value}, or {type: 'uniform', limit}.
Initializer to_initializer(const Fields& fields, const char* name);

}  // namespace millrace::binding
