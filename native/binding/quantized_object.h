#pragma once

#include <napi.h>

#include <memory>

#include "engine/quantized_network.h"

namespace millrace::binding {

/// `new QuantizedNetworkHandle(network, options)`; the TypeScript class QuantizedNetwork wraps it.
class QuantizedObject : public Napi::ObjectWrap<QuantizedObject> {
 public:
  static Napi::Function define(Napi::Env);

  explicit QuantizedObject(const Napi::CallbackInfo&);

 private:
  /// Refuses when disposed. Predictions under way keep the network alive.
  const std::shared_ptr<const QuantizedNetwork>& network() const;

  Napi::Value bytes(const Napi::CallbackInfo&);
  Napi::Value multiply_adds(const Napi::CallbackInfo&);
  Napi::Value predict(const Napi::CallbackInfo&);
  Napi::Value predict_async(const Napi::CallbackInfo&);
  Napi::Value dispose(const Napi::CallbackInfo&);

  std::shared_ptr<const QuantizedNetwork> network_;  // null after dispose
  QuantizedNetwork::Scratch scratch_;
};

}  // namespace millrace::binding
