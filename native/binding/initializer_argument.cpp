#include "initializer_argument.h"

namespace millrace::binding {
namespace {

constexpr std::pair<const char*, InitializerType> kNamed[] = {{"glorotUniform", InitializerType::kGlorotUniform},
                                                              {"glorotNormal", InitializerType::kGlorotNormal},
                                                              {"heUniform", InitializerType::kHeUniform},
                                                              {"heNormal", InitializerType::kHeNormal},
                                                              {"lecunUniform", InitializerType::kLecunUniform},
                                                              {"lecunNormal", InitializerType::kLecunNormal},
                                                              {"orthogonal", InitializerType::kOrthogonal},
                                                              {"zeros", InitializerType::kZeros},
                                                              {"ones", InitializerType::kOnes}};
constexpr std::pair<const char*, InitializerType> kWithNumber[] = {{"constant", InitializerType::kConstant},
                                                                   {"uniform", InitializerType::kUniform}};

}  // namespace

Initializer to_initializer(const Fields& fields, const char* name) {
  const Napi::Value value = fields.value(name);
  if (!value.IsObject()) return {to_choice(fields, name, kNamed)};
  const Fields object(value, fields.full_name(name));
  const InitializerType type = to_choice(object, "type", kWithNumber);
  const char* number = type == InitializerType::kConstant ? "value" : "limit";
  object.expect_only({"type", number});
  return {type, static_cast<float>(object.number(number))};
}

}  // namespace millrace::binding
