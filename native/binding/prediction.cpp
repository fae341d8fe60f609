#include "prediction.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "engine/categories.h"
#include "environment.h"
#include "fields.h"

namespace millrace::binding {
namespace {

/// Prediction on libuv's pool: short, and several at once are wanted.
class PredictWorker : public Napi::AsyncWorker {
 public:
  PredictWorker(Napi::Env env, Prediction prediction, std::vector<float> input, std::size_t rows)
      : Napi::AsyncWorker(env),
        deferred_(env),
        prediction_(std::move(prediction)),
        input_(std::move(input)),
        rows_(rows),
        output_(rows * prediction_.outputs) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override { prediction_.predict(input_, rows_, output_); }

  void OnOK() override {
    prediction_.predict = nullptr;
    Napi::Float32Array result = Napi::Float32Array::New(Env(), output_.size());
    std::copy(output_.begin(), output_.end(), result.Data());
    deferred_.Resolve(result);
  }

  void OnError(const Napi::Error& error) override {
    prediction_.predict = nullptr;
    deferred_.Reject(to_javascript(Env(), Error(ErrorCode::kInternal, "", error.Message())));
  }

 private:
  Napi::Promise::Deferred deferred_;
  Prediction prediction_;
  std::vector<float> input_;
  std::size_t rows_;
  std::vector<float> output_;
};

}  // namespace

Napi::Value Prediction::now(const Napi::CallbackInfo& info) const {
  const std::size_t rows = to_integer(info[1], "rows", 1, kRowsMax);
  const Napi::Float32Array input = to_floats(info[0], "input", rows * inputs);
  expect_categories(tables, inputs, input.Data(), rows, "input");
  Napi::Float32Array output = Napi::Float32Array::New(info.Env(), rows * outputs);
  predict({input.Data(), input.ElementLength()}, rows, {output.Data(), output.ElementLength()});
  return output;
}

Napi::Value Prediction::later(const Napi::CallbackInfo& info) && {
  const std::size_t rows = to_integer(info[1], "rows", 1, kRowsMax);
  const Napi::Float32Array input = to_floats(info[0], "input", rows * inputs);
  expect_categories(tables, inputs, input.Data(), rows, "input");
  // A copy, since the caller may change or transfer its array as soon as this returns.
  std::vector<float> copy(input.Data(), input.Data() + input.ElementLength());
  auto worker = std::make_unique<PredictWorker>(info.Env(), std::move(*this), std::move(copy), rows);
  const Napi::Promise promise = worker->promise();
  worker->Queue();
  worker.release();  // It deletes itself when it has answered.
  return promise;
}

}  // namespace millrace::binding
