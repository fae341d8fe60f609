#include "graph_object.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/error.h"
#include "engine/prediction_team.h"
#include "environment.h"
#include "fields.h"
#include "graph_argument.h"
#include "prediction.h"

namespace millrace::binding {
namespace {

/// The arrays of one prediction: those of the caller, and new ones for the outputs.
struct GraphArrays {
  std::size_t rows;
  std::vector<const std::byte*> inputs;
  std::vector<std::byte*> outputs;
  Napi::Array kept;     // the inputs
  Napi::Array results;  // the outputs
};

GraphArrays to_arrays(const Napi::CallbackInfo& info, const PredictionGraph& graph) {
  const std::size_t rows = to_integer(info[1], "rows", 1, kRowsMax);
  if (!info[0].IsArray()) refuse_value("inputs", "an array of Uint8Array", info[0]);
  const Napi::Array inputs = info[0].As<Napi::Array>();
  if (inputs.Length() != graph.inputs().size()) {
    refuse("inputs", "Expected `inputs` to hold " + std::to_string(graph.inputs().size()) + " arrays but received " +
                         std::to_string(inputs.Length()) + ".");
  }
  GraphArrays arrays{rows, {}, {}, Napi::Array::New(info.Env()), Napi::Array::New(info.Env())};
  for (std::uint32_t index = 0; index < inputs.Length(); ++index) {
    const std::string name = "inputs[" + std::to_string(index) + "]";
    const Napi::Value value = inputs.Get(index);
    const bool bytes = value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array;
    if (!bytes) refuse_value(name, "a Uint8Array", value);
    const auto array = value.As<Napi::Uint8Array>();
    const std::size_t expected = rows * graph.inputs()[index].columns * size_of(graph.inputs()[index].datatype);
    if (array.ElementLength() != expected) {
      refuse(name, "Expected `" + name + "` to hold " + std::to_string(expected) + " bytes but received " +
                       std::to_string(array.ElementLength()) + ".");
    }
    arrays.inputs.push_back(reinterpret_cast<const std::byte*>(array.Data()));
    arrays.kept.Set(index, array);
  }
  for (std::uint32_t index = 0; index < graph.output_count(); ++index) {
    Napi::Uint8Array output = Napi::Uint8Array::New(info.Env(), rows * graph.output_row_bytes(index));
    arrays.outputs.push_back(reinterpret_cast<std::byte*>(output.Data()));
    arrays.results.Set(index, output);
  }
  return arrays;
}

class GraphWorker : public Napi::AsyncWorker {
 public:
  GraphWorker(Napi::Env env, std::shared_ptr<const PredictionGraph> graph, const GraphArrays& arrays)
      : Napi::AsyncWorker(env),
        deferred_(env),
        graph_(std::move(graph)),
        rows_(arrays.rows),
        inputs_(arrays.inputs),
        outputs_(arrays.outputs),
        kept_(Napi::Persistent(arrays.kept.As<Napi::Object>())),
        results_(Napi::Persistent(arrays.results.As<Napi::Object>())) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override {
    PredictionGraph::Scratch scratch;
    predict_on_team(scratch, *graph_, inputs_, rows_, outputs_);
  }

  void OnOK() override { deferred_.Resolve(results_.Value()); }

  void OnError(const Napi::Error& error) override {
    deferred_.Reject(to_javascript(Env(), Error(ErrorCode::kInternal, "", error.Message())));
  }

 private:
  Napi::Promise::Deferred deferred_;
  std::shared_ptr<const PredictionGraph> graph_;
  std::size_t rows_;
  std::vector<const std::byte*> inputs_;
  std::vector<std::byte*> outputs_;
  Napi::ObjectReference kept_;
  Napi::ObjectReference results_;
};

}  // namespace

Napi::Function GraphObject::define(Napi::Env env) {
  return DefineClass(env, "PredictionGraphHandle",
                     {InstanceMethod<&GraphObject::bytes>("bytes"),
                      InstanceMethod<&GraphObject::multiply_adds>("multiplyAdds"),
                      InstanceMethod<&GraphObject::predict>("predict"),
                      InstanceMethod<&GraphObject::predict_async>("predictAsync"),
                      InstanceMethod<&GraphObject::dispose>("dispose")});
}

GraphObject::GraphObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<GraphObject>(info) {
  guarded(info.Env(), [&]() -> Napi::Value {
    graph_ = std::make_shared<const PredictionGraph>(to_graph_spec(info[0]));
    return {};
  });
}

const std::shared_ptr<const PredictionGraph>& GraphObject::graph() const {
  if (!graph_) throw Error(ErrorCode::kFailedPrecondition, "graph", "The graph has been disposed of.");
  return graph_;
}

Napi::Value GraphObject::bytes(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return Napi::Number::New(info.Env(), static_cast<double>(graph()->bytes()));
  });
}

Napi::Value GraphObject::multiply_adds(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return Napi::Number::New(info.Env(), static_cast<double>(graph()->multiply_adds()));
  });
}

Napi::Value GraphObject::predict(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const GraphArrays arrays = to_arrays(info, *graph());
    predict_on_team(scratch_, *graph(), arrays.inputs, arrays.rows, arrays.outputs);
    return arrays.results;
  });
}

Napi::Value GraphObject::predict_async(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    auto worker = std::make_unique<GraphWorker>(info.Env(), graph(), to_arrays(info, *graph()));
    const Napi::Promise promise = worker->promise();
    worker->Queue();
    worker.release();  // It deletes itself when it has answered.
    return promise;
  });
}

Napi::Value GraphObject::dispose(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    graph_.reset();
    scratch_ = {};
    return info.Env().Undefined();
  });
}

}  // namespace millrace::binding
