#pragma once

#include <napi.h>

namespace millrace::binding {

/// decodeJpegs(contents, form, pixelsMax, pixels): a promise of what became of each.
Napi::Value decode_jpegs(const Napi::CallbackInfo&);

/// resampleImage(pixels, stored, size, form): a promise of the pixels.
Napi::Value resample_image(const Napi::CallbackInfo&);

}  // namespace millrace::binding
