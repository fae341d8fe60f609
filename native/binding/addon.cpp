#include <napi.h>

#include <algorithm>
#include <memory>
#include <string>

#include "csv.h"
#include "fields.h"
#include "engine/blas.h"
#include "engine/cpu_quota.h"
#include "engine/instruction_set.h"
#include "engine/speed.h"
#include "environment.h"
#include "graph_object.h"
#include "images.h"
#include "job.h"
#include "mapped_array.h"
#include "network_object.h"
#include "open_network.h"
#include "quantized_object.h"
#include "shared_memory_object.h"
#include "table.h"
#include "trainer_object.h"

namespace millrace::binding {
namespace {

Napi::Value initialize(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    if (!info[0].IsFunction()) refuse("errorClass", "Expected `errorClass` to be a class.");
    Environment::of(info.Env()).error_class = Napi::Persistent(info[0].As<Napi::Function>());
    return info.Env().Undefined();
  });
}

Napi::Value engine_info(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    const Blas& blas = Blas::instance();
    Napi::Array warnings = Napi::Array::New(env);
    for (const std::string& warning : blas.warnings()) warnings.Set(warnings.Length(), warning);
    Napi::Object result = Napi::Object::New(env);
    result.Set("instructionSet", name_of(instruction_set()));
    result.Set("blas", blas.name());
    result.Set("blasCore", blas.core());
    result.Set("blasLibrary", blas.library());
    result.Set("threads", usable_processors());
    result.Set("warnings", warnings);
    return result;
  });
}

// measureGflops(threads, seconds, blas)
Napi::Value measure(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto threads = static_cast<unsigned>(to_integer(info[0], "threads", 0, 256));
    const double seconds = info[1].IsNumber() ? info[1].As<Napi::Number>().DoubleValue() : -1.0;
    if (!(seconds > 0.0 && seconds <= 60.0)) {
      refuse("seconds", "Expected `seconds` to be above 0 and at most 60 but received " + received(info[1]) + ".");
    }
    const bool with_blas = info[2].ToBoolean();
    auto gflops = std::make_shared<double>(0.0);
    Job::Plan plan;
    plan.work = [=](Job&) { *gflops = with_blas ? measure_blas_gflops(seconds) : measure_gflops(threads, seconds); };
    plan.result = [gflops](Napi::Env env) { return Napi::Number::New(env, *gflops); };
    plan.finished = [] {};
    return Job::start(info.Env(), std::move(plan), nullptr);
  });
}

Napi::Value available_cores(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), usable_processors());
}

Napi::Object start(Napi::Env env, Napi::Object exports) {
  auto environment = std::make_unique<Environment>();
  environment->network_class = Napi::Persistent(NetworkObject::define(env));
  environment->quantized_class = Napi::Persistent(QuantizedObject::define(env));
  environment->graph_class = Napi::Persistent(GraphObject::define(env));
  environment->trainer_class = Napi::Persistent(TrainerObject::define(env));
  exports.Set("NetworkHandle", environment->network_class.Value());
  exports.Set("QuantizedNetworkHandle", environment->quantized_class.Value());
  exports.Set("PredictionGraphHandle", environment->graph_class.Value());
  exports.Set("TrainerHandle", environment->trainer_class.Value());
  exports.Set("MappedArrayHandle", MappedArrayObject::define(env));
  exports.Set("SharedMemoryHandle", SharedMemoryObject::define(env));
  exports.Set("tensorsOf", Napi::Function::New<tensors_of>(env, "tensorsOf"));
  exports.Set("openNetwork", Napi::Function::New<open_network_file>(env, "openNetwork"));
  exports.Set("decodeJpegs", Napi::Function::New<decode_jpegs>(env, "decodeJpegs"));
  exports.Set("resampleImage", Napi::Function::New<resample_image>(env, "resampleImage"));
  exports.Set("initialize", Napi::Function::New<initialize>(env, "initialize"));
  exports.Set("availableCores", Napi::Function::New<available_cores>(env, "availableCores"));
  exports.Set("scanPlainRecords", Napi::Function::New<scan_plain>(env, "scanPlainRecords"));
  exports.Set("scanPlainRecordsAhead", Napi::Function::New<scan_plain_ahead>(env, "scanPlainRecordsAhead"));
  exports.Set("readCsvRecords", Napi::Function::New<read_csv>(env, "readCsvRecords"));
  exports.Set("writeFeatures", Napi::Function::New<write_table_features>(env, "writeFeatures"));
  exports.Set("countTexts", Napi::Function::New<count_column_texts>(env, "countTexts"));
  exports.Set("addMoments", Napi::Function::New<add_column_moments>(env, "addMoments"));
  exports.Set("engineInfo", Napi::Function::New<engine_info>(env, "engineInfo"));
  exports.Set("measureGflops", Napi::Function::New<measure>(env, "measureGflops"));
  env.SetInstanceData(environment.release());  // Deleted by Node-API with the environment.
  return exports;
}

}  // namespace

NODE_API_MODULE(millrace, start)

}  // namespace millrace::binding
