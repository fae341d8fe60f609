#pragma once

#include <napi.h>

#include "engine/error.h"

namespace millrace::binding {

/// What the addon keeps per JavaScript environment (main thread or worker): never a global.
struct Environment {
  Napi::FunctionReference error_class;
  Napi::FunctionReference network_class;
  Napi::FunctionReference quantized_class;
  Napi::FunctionReference graph_class;
  Napi::FunctionReference trainer_class;

  static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }
};

/// The JavaScript error for an engine error: `new EngineError(code, field, message)` with the class that index.ts handed
/// over at load.
Napi::Value to_javascript(Napi::Env, const Error&);

/// In a handler: throws the exception that is being handled in JavaScript, as one of the right class.
void raise_current(Napi::Env);

/// Runs `body` and turns every C++ exception into a JavaScript one of the right class.
template <typename Body>
Napi::Value guarded(Napi::Env env, Body&& body) {
  try {
    return body();
  } catch (...) {
    raise_current(env);
    return {};
  }
}

}  // namespace millrace::binding
