#pragma once

#include <napi.h>

namespace millrace::binding {

/// decodeJpeg(content, form, pixelsMax): a promise of the pixels, or of null.
Napi::Value decode_jpeg_file(const Napi::CallbackInfo&);

/// resampleImage(pixels, stored, size, form): a promise of the pixels.
Napi::Value resample_image(const Napi::CallbackInfo&);

}  // namespace millrace::binding
