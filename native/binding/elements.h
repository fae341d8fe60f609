#pragma once

#include <napi.h>

#include <cstddef>
#include <string>

#include "engine/element_type.h"

namespace millrace::binding {

/// Numbers that lie in a typed array (a Uint16Array holds float16).
struct Elements {
  ElementType type;
  const void* data;
  std::size_t length;
};

/// Whether a value holds exactly `length` numbers of a type.
bool holds(const Napi::Value&, ElementType, std::size_t length);

/// Those numbers; refuses any other value. A detached array has none.
const void* to_elements(const Napi::Value&, const std::string& name, ElementType, std::size_t length);

}  // namespace millrace::binding
