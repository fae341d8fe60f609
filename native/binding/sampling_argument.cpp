#include "sampling_argument.h"

namespace millrace::binding {
namespace {

constexpr std::pair<const char*, SamplingType> kSamplingTypes[] = {{"shuffle", SamplingType::kShuffle},
                                                                   {"sequential", SamplingType::kSequential},
                                                                   {"weighted", SamplingType::kWeighted},
                                                                   {"stratified", SamplingType::kStratified}};

}  // namespace

SamplingOptions to_sampling(const Fields& options) {
  const Napi::Value value = options.value("sampling");
  if (value.IsUndefined()) return {};
  const Fields fields(value, "sampling");
  SamplingOptions sampling{to_choice(fields, "type", kSamplingTypes), {}};
  if (sampling.type != SamplingType::kWeighted) return sampling;
  const Napi::Value weights = fields.value("weights");
  if (!weights.IsTypedArray() || weights.As<Napi::TypedArray>().TypedArrayType() != napi_float32_array ||
      weights.As<Napi::TypedArray>().ElementLength() == 0) {
    refuse_value("sampling.weights", "a Float32Array with one weight a row", weights);
  }
  const auto floats = weights.As<Napi::Float32Array>();
  sampling.weights.assign(floats.Data(), floats.Data() + floats.ElementLength());
  return sampling;
}

}  // namespace millrace::binding
