#pragma once

#include <napi.h>

namespace millrace::binding {

/// writeFeatures(columns, rows, target, rowWidth): a promise of whether all could be written.
Napi::Value write_table_features(const Napi::CallbackInfo&);

/// countTexts(texts, rows): [first row, count] of each distinct text, one after the other.
Napi::Value count_column_texts(const Napi::CallbackInfo&);

/// addMoments(values, moments): adds numbers to what is known of those before them.
Napi::Value add_column_moments(const Napi::CallbackInfo&);

}  // namespace millrace::binding
