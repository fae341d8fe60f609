#pragma once

#include <napi.h>

#include <memory>

#include "engine/prediction_graph.h"

namespace millrace::binding {

/// `new PredictionGraphHandle(spec)`; the TypeScript class PredictionGraph wraps it.
class GraphObject : public Napi::ObjectWrap<GraphObject> {
 public:
  static Napi::Function define(Napi::Env);

  explicit GraphObject(const Napi::CallbackInfo&);

 private:
  /// Refuses when disposed. Predictions under way keep the graph alive.
  const std::shared_ptr<const PredictionGraph>& graph() const;

  Napi::Value bytes(const Napi::CallbackInfo&);
  Napi::Value multiply_adds(const Napi::CallbackInfo&);
  Napi::Value predict(const Napi::CallbackInfo&);
  Napi::Value predict_async(const Napi::CallbackInfo&);
  Napi::Value dispose(const Napi::CallbackInfo&);

  std::shared_ptr<const PredictionGraph> graph_;  // null after dispose
  PredictionGraph::Scratch scratch_;
};

}  // namespace millrace::binding
