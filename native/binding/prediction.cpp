#include "prediction.h"

#include <memory>
#include <string>
#include <utility>

#include "engine/categories.h"
#include "environment.h"
#include "fields.h"

namespace millrace::binding {
namespace {

/// The bytes of `count` float32 numbers, as a Float32Array or a Uint8Array holds them; a detached array has none.
std::span<std::byte> to_float_bytes(const Napi::Value& value, const char* name, std::size_t count) {
  napi_typedarray_type type{};
  std::size_t length = 0;
  void* data = nullptr;
  // One crossing into the runtime, where the classes of node-addon-api take one for each property.
  const napi_status status =
      napi_get_typedarray_info(value.Env(), value, &type, &length, &data, nullptr, nullptr);
  const std::size_t bytes = count * sizeof(float);
  const bool fits = status == napi_ok && ((type == napi_float32_array && length == count) ||
                                          (type == napi_uint8_array && length == bytes));
  if (!fits) {
    refuse_value(name, "a Float32Array of " + std::to_string(count) + " elements or a Uint8Array of " +
                           std::to_string(bytes) + " bytes", value);
  }
  return {static_cast<std::byte*>(data), bytes};
}

bool overlap(std::span<const std::byte> a, std::span<const std::byte> b) {
  const std::less<const std::byte*> before;
  return before(a.data(), b.data() + b.size()) && before(b.data(), a.data() + a.size());
}

/// Prediction on libuv's pool: short, and several at once are wanted.
class PredictWorker : public Napi::AsyncWorker {
 public:
  PredictWorker(Napi::Env env, PredictionCall call, const Napi::Value& input, Predict predict)
      : Napi::AsyncWorker(env),
        deferred_(env),
        input_(call.copy.empty() ? Napi::Persistent(input.As<Napi::Object>()) : Napi::ObjectReference()),
        output_(Napi::Persistent(call.result.As<Napi::Object>())),
        call_(std::move(call)),
        predict_(std::move(predict)) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override { predict_(call_.input, call_.rows, call_.output); }

  void OnOK() override {
    predict_ = nullptr;
    deferred_.Resolve(output_.Value());
  }

  void OnError(const Napi::Error& error) override {
    predict_ = nullptr;
    deferred_.Reject(to_javascript(Env(), Error(ErrorCode::kInternal, "", error.Message())));
  }

 private:
  Napi::Promise::Deferred deferred_;
  // Arrays that must live as long as the call.
  Napi::ObjectReference input_;
  Napi::ObjectReference output_;
  PredictionCall call_;
  Predict predict_;
};

}  // namespace

PredictionCall::PredictionCall(const Napi::CallbackInfo& info, const PredictionShape& shape) {
  rows = to_integer(info[1], "rows", 1, kRowsMax);
  input = to_float_bytes(info[0], "input", rows * shape.inputs);
  if (!shape.tables.empty()) {
    expect_categories(shape.tables, shape.inputs, reinterpret_cast<const LooseFloat*>(input.data()), rows, "input");
  }
  const std::size_t answers = rows * shape.outputs;
  result = info[2].IsNull() ? Napi::Float32Array::New(info.Env(), answers) : info[2];
  output = to_float_bytes(result, "output", answers);
  if (overlap(input, output)) {
    copy.assign(input.begin(), input.end());
    input = copy;
  }
}

Napi::Value predict_later(const Napi::CallbackInfo& info, const PredictionShape& shape, Predict predict) {
  PredictionCall call(info, shape);
  if (info[2].IsNull() && call.copy.empty()) {
    call.copy.assign(call.input.begin(), call.input.end());
    call.input = call.copy;
  }
  auto worker = std::make_unique<PredictWorker>(info.Env(), std::move(call), info[0], std::move(predict));
  const Napi::Promise promise = worker->promise();
  worker->Queue();
  worker.release();  // It deletes itself when it has answered.
  return promise;
}

}  // namespace millrace::binding
