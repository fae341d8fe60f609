#include "open_network.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/network_builder.h"
#include "engine/network_file.h"
#include "environment.h"
#include "fields.h"
#include "job.h"
#include "network_argument.h"
#include "network_object.h"

namespace millrace::binding {
namespace {

std::string to_path(const Napi::Value& value, const char* name) {
  if (!value.IsString()) refuse_value(name, "a string", value);
  return value.As<Napi::String>().Utf8Value();
}

std::vector<std::uint64_t> to_offsets(const Napi::Value& value) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_float64_array) {
    refuse_value("offsets", "a Float64Array", value);
  }
  const auto array = value.As<Napi::Float64Array>();
  std::vector<std::uint64_t> offsets;
  for (std::size_t index = 0; index < array.ElementLength(); ++index) {
    offsets.push_back(to_integer(Napi::Number::New(value.Env(), array[index]), "offsets", 0, kSafeInteger));
  }
  return offsets;
}

}  // namespace

Napi::Value tensors_of(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const NetworkSpec spec = to_network_spec(info[0]);
    return to_javascript(info.Env(), NetworkBuilder(spec).tensors);
  });
}

Napi::Value open_network_file(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    std::optional<std::string> prepared_path;
    if (!info[3].IsNull()) prepared_path = to_path(info[3], "preparedPath");
    const auto network = std::make_shared<std::shared_ptr<Network>>();
    Job::Plan plan;
    plan.work = [network, spec = to_network_spec(info[0]), path = to_path(info[1], "path"), offsets = to_offsets(info[2]),
                 prepared_path](Job&) { *network = open_network(spec, path, offsets, prepared_path); };
    plan.result = [network](Napi::Env env) -> Napi::Value {
      const auto external = Napi::External<std::shared_ptr<Network>>::New(env, network.get());
      return Environment::of(env).network_class.New({external});
    };
    plan.finished = [] {};
    return Job::start(info.Env(), std::move(plan), nullptr);
  });
}

}  // namespace millrace::binding
