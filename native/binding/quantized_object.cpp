#include "quantized_object.h"

#include <utility>

#include "engine/categories.h"
#include "engine/error.h"
#include "engine/prediction_team.h"
#include "environment.h"
#include "fields.h"
#include "network_object.h"
#include "prediction.h"

namespace millrace::binding {
namespace {

constexpr std::pair<const char*, Precision> kPrecisions[] = {{"int8", Precision::kInt8},
                                                             {"bfloat16", Precision::kBfloat16}};

std::shared_ptr<const QuantizedNetwork> quantized(const Network& network, const Napi::Value& value) {
  const Fields options(value, "", "options");
  const Precision precision = to_choice(options, "type", kPrecisions);
  if (precision == Precision::kBfloat16 || options.value("calibration").IsNull()) {
    return std::make_shared<QuantizedNetwork>(network, precision);
  }
  const Fields calibration(options.value("calibration"), "calibration");
  const std::size_t rows = calibration.integer("rows", 1, kRowsMax);
  const Napi::Float32Array input = to_floats(calibration.value("input"), "calibration.input", rows * network.inputs());
  auto result = std::make_shared<QuantizedNetwork>(network, precision);
  expect_categories(result->tables(), result->inputs(), input.Data(), rows, "calibration.input");
  result->calibrate({input.Data(), input.ElementLength()}, rows);
  return result;
}

}  // namespace

Napi::Function QuantizedObject::define(Napi::Env env) {
  return DefineClass(env, "QuantizedNetworkHandle",
                     {InstanceMethod<&QuantizedObject::bytes>("bytes"),
                      InstanceMethod<&QuantizedObject::multiply_adds>("multiplyAdds"),
                      InstanceMethod<&QuantizedObject::predict>("predict"),
                      InstanceMethod<&QuantizedObject::predict_async>("predictAsync"),
                      InstanceMethod<&QuantizedObject::dispose>("dispose")});
}

QuantizedObject::QuantizedObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<QuantizedObject>(info) {
  guarded(info.Env(), [&]() -> Napi::Value {
    network_ = quantized(NetworkObject::state_of(info[0])->for_reading(), info[1]);
    return {};
  });
}

const std::shared_ptr<const QuantizedNetwork>& QuantizedObject::network() const {
  if (!network_) throw Error(ErrorCode::kFailedPrecondition, "network", "The network has been disposed of.");
  return network_;
}

Napi::Value QuantizedObject::bytes(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return Napi::Number::New(info.Env(), static_cast<double>(network()->bytes()));
  });
}

Napi::Value QuantizedObject::multiply_adds(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return Napi::Number::New(info.Env(), static_cast<double>(network()->multiply_adds()));
  });
}

Napi::Value QuantizedObject::predict(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const QuantizedNetwork& network = *this->network();
    const PredictionCall call(info, shape_of(network));
    predict_on_team(scratch_, network, call.input, call.rows, call.output);
    return call.result;
  });
}

Napi::Value QuantizedObject::predict_async(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto network = this->network();
    return predict_later(info, shape_of(*network), [network](auto input, std::size_t rows, auto output) {
      QuantizedNetwork::Scratch scratch;
      predict_on_team(scratch, *network, input, rows, output);
    });
  });
}

Napi::Value QuantizedObject::dispose(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    network_.reset();
    scratch_ = {};
    return info.Env().Undefined();
  });
}

}  // namespace millrace::binding
