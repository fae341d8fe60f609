#pragma once

#include <napi.h>

namespace millrace::binding {

/// tensorsOf(spec): what a file for a network must hold, `{ name, shape }` each. Takes no memory for the weights.
Napi::Value tensors_of(const Napi::CallbackInfo&);

/// openNetwork(spec, path, offsets, preparedPath or null): a promise for a NetworkHandle, made on a thread of its own.
/// `offsets` is a Float64Array of bytes of the file, one for each of `tensorsOf(spec)`.
Napi::Value open_network_file(const Napi::CallbackInfo&);

}  // namespace millrace::binding
