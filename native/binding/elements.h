#pragma once

#include <napi.h>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "engine/element_type.h"
#include "mapped_array.h"

namespace millrace::binding {

inline constexpr std::pair<const char*, ElementType> kElementTypes[] = {{"uint8", ElementType::kUint8},
                                                                        {"float16", ElementType::kFloat16},
                                                                        {"float32", ElementType::kFloat32},
                                                                        {"int32", ElementType::kInt32}};

/// Whether a value holds exactly `length` numbers of a type: a typed array (a Uint16Array holds float16), or a region
/// `{ mapped: MappedArrayHandle, first, length }` of a mapped file.
bool holds(const Napi::Value&, ElementType, std::size_t length);

/// Those numbers; refuses any other value, a detached array, which has none, and a file that was closed or cut short. A
/// mapped file is added to `uses`.
const void* to_elements(const Napi::Value&, const std::string& name, ElementType, std::size_t length,
                        std::vector<MappedUse>& uses);

}  // namespace millrace::binding
