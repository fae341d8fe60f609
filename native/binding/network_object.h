#pragma once

#include <napi.h>

#include <memory>

#include "engine/network.h"
#include "engine/predictor.h"

namespace millrace::binding {

/// A network and who is using it. Touched on its environment's JavaScript thread only.
struct NetworkState {
  std::shared_ptr<Network> network;  // null after dispose
  unsigned readers = 0;              // evaluations and predictions under way
  bool training = false;

  /// Refuses when disposed, and when a training is writing the weights.
  Network& for_reading() const;
  /// Refuses when disposed or in any use.
  Network& for_writing() const;
};

/// The tensors of a network as JavaScript names them: `{ name, shape }` each.
Napi::Array to_javascript(Napi::Env, const std::vector<ParameterTensor>&);

/// `new NetworkHandle(spec, seed)`, or of an external std::shared_ptr<Network>, whose network it takes; the TypeScript class Network wraps it.
class NetworkObject : public Napi::ObjectWrap<NetworkObject> {
 public:
  static Napi::Function define(Napi::Env);
  /// The state behind a handle; refuses anything that is not one.
  static std::shared_ptr<NetworkState> state_of(const Napi::Value&);

  explicit NetworkObject(const Napi::CallbackInfo&);

 private:
  Napi::Value parameter_count(const Napi::CallbackInfo&);
  Napi::Value outputs(const Napi::CallbackInfo&);
  Napi::Value tensors(const Napi::CallbackInfo&);
  Napi::Value parameters(const Napi::CallbackInfo&);
  Napi::Value set_parameters(const Napi::CallbackInfo&);
  Napi::Value bytes(const Napi::CallbackInfo&);
  Napi::Value multiply_adds(const Napi::CallbackInfo&);
  Napi::Value predict(const Napi::CallbackInfo&);
  Napi::Value predict_async(const Napi::CallbackInfo&);
  Napi::Value dispose(const Napi::CallbackInfo&);

  std::shared_ptr<NetworkState> state_;
  Predictor predictor_;
};

}  // namespace millrace::binding
