#include "network_object.h"

#include <span>
#include <utility>
#include <vector>

#include "network_argument.h"
#include "engine/error.h"
#include "engine/prediction_team.h"
#include "environment.h"
#include "fields.h"
#include "prediction.h"

namespace millrace::binding {
namespace {

constexpr napi_type_tag kNetworkTag = {0x6d696c6c72616365, 0x6e6574776f726b31};

/// Counts a prediction among the network's readers while alive; on the JavaScript thread only.
class Reading {
 public:
  explicit Reading(std::shared_ptr<NetworkState> state) : state_(std::move(state)) { ++state_->readers; }
  ~Reading() { --state_->readers; }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

  const Network& network() const { return *state_->network; }

 private:
  std::shared_ptr<NetworkState> state_;
};

[[noreturn]] void refuse_state(const std::string& message) {
  throw Error(ErrorCode::kFailedPrecondition, "network", message);
}

}  // namespace

Network& NetworkState::for_reading() const {
  if (!network) refuse_state("The network has been disposed of.");
  if (training) refuse_state("The network is being trained; wait for the epoch to end.");
  return *network;
}

Network& NetworkState::for_writing() const {
  Network& result = for_reading();
  if (readers > 0) refuse_state("The network is in use by a prediction or evaluation; wait for it to end.");
  return result;
}

Napi::Array to_javascript(Napi::Env env, const std::vector<ParameterTensor>& tensors) {
  Napi::Array result = Napi::Array::New(env);
  for (const ParameterTensor& tensor : tensors) {
    Napi::Array shape = Napi::Array::New(env);
    for (const std::size_t length : tensor.shape) shape.Set(shape.Length(), static_cast<double>(length));
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("name", tensor.name);
    entry.Set("shape", shape);
    result.Set(result.Length(), entry);
  }
  return result;
}

Napi::Function NetworkObject::define(Napi::Env env) {
  return DefineClass(env, "NetworkHandle",
                     {InstanceMethod<&NetworkObject::parameter_count>("parameterCount"),
                      InstanceMethod<&NetworkObject::outputs>("outputs"),
                      InstanceMethod<&NetworkObject::tensors>("tensors"),
                      InstanceMethod<&NetworkObject::parameters>("parameters"),
                      InstanceMethod<&NetworkObject::set_parameters>("setParameters"),
                      InstanceMethod<&NetworkObject::bytes>("bytes"),
                      InstanceMethod<&NetworkObject::multiply_adds>("multiplyAdds"),
                      InstanceMethod<&NetworkObject::predict>("predict"),
                      InstanceMethod<&NetworkObject::predict_async>("predictAsync"),
                      InstanceMethod<&NetworkObject::dispose>("dispose")});
}

std::shared_ptr<NetworkState> NetworkObject::state_of(const Napi::Value& value) {
  bool tagged = false;
  if (value.IsObject()) napi_check_object_type_tag(value.Env(), value, &kNetworkTag, &tagged);
  if (!tagged) refuse("network", "Expected `network` to be a Network but received " + received(value) + ".");
  return Unwrap(value.As<Napi::Object>())->state_;
}

NetworkObject::NetworkObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<NetworkObject>(info) {
  guarded(info.Env(), [&]() -> Napi::Value {
    napi_type_tag_object(info.Env(), info.This(), &kNetworkTag);
    state_ = std::make_shared<NetworkState>();
    if (info[0].IsExternal()) {
      state_->network = *info[0].As<Napi::External<std::shared_ptr<Network>>>().Data();
      return {};
    }
    const std::uint64_t seed = to_integer(info[1], "seed", 0, kSafeInteger);
    state_->network = std::make_shared<Network>(to_network_spec(info[0]));
    state_->network->initialize(seed);
    return {};
  });
}

Napi::Value NetworkObject::parameter_count(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    if (!state_->network) state_->for_reading();
    return Napi::Number::New(info.Env(), static_cast<double>(state_->network->parameter_count()));
  });
}

Napi::Value NetworkObject::outputs(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    if (!state_->network) state_->for_reading();
    return Napi::Number::New(info.Env(), static_cast<double>(state_->network->outputs()));
  });
}

Napi::Value NetworkObject::tensors(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    if (!state_->network) state_->for_reading();
    return to_javascript(info.Env(), state_->network->tensors());
  });
}

Napi::Value NetworkObject::parameters(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Network& network = state_->for_reading();
    Napi::Float32Array flat = Napi::Float32Array::New(info.Env(), network.parameter_count());
    network.unpack(network.parameters(), {flat.Data(), flat.ElementLength()});
    return flat;
  });
}

Napi::Value NetworkObject::set_parameters(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    Network& network = state_->for_writing();
    const Napi::Float32Array flat = to_floats(info[0], "parameters", network.parameter_count());
    network.pack({flat.Data(), flat.ElementLength()}, network.parameters());
    network.fold();
    return info.Env().Undefined();
  });
}

Napi::Value NetworkObject::bytes(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    if (!state_->network) state_->for_reading();
    return Napi::Number::New(info.Env(), static_cast<double>(state_->network->bytes()));
  });
}

Napi::Value NetworkObject::multiply_adds(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    if (!state_->network) state_->for_reading();
    return Napi::Number::New(info.Env(), static_cast<double>(state_->network->multiply_adds()));
  });
}

Napi::Value NetworkObject::predict(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Network& network = state_->for_reading();
    const PredictionCall call(info, shape_of(network));
    predict_on_team(predictor_, network, call.input, call.rows, call.output);
    return call.result;
  });
}

Napi::Value NetworkObject::predict_async(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Network& network = state_->for_reading();
    const auto reading = std::make_shared<const Reading>(state_);
    return predict_later(info, shape_of(network), [reading](auto input, std::size_t rows, auto output) {
      Predictor predictor;
      predict_on_team(predictor, reading->network(), input, rows, output);
    });
  });
}

Napi::Value NetworkObject::dispose(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    if (!state_->network) return info.Env().Undefined();
    state_->for_writing();
    state_->network.reset();
    predictor_ = Predictor();
    return info.Env().Undefined();
  });
}

}  // namespace millrace::binding
