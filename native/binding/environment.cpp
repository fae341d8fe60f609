#include "environment.h"

#include <new>

namespace millrace::binding {
namespace {

const char* text_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return "INVALID_ARGUMENT";
    case ErrorCode::kFailedPrecondition:
      return "FAILED_PRECONDITION";
    case ErrorCode::kCancelled:
      return "CANCELLED";
    case ErrorCode::kDiverged:
      return "DIVERGED";
    case ErrorCode::kInternal:
      return "INTERNAL";
  }
  return "INTERNAL";
}

}  // namespace

Napi::Value to_javascript(Napi::Env env, const Error& error) {
  const Environment& environment = Environment::of(env);
  if (environment.error_class.IsEmpty()) return Napi::Error::New(env, error.what()).Value();
  const Napi::Value field =
      error.field().empty() ? env.Null() : Napi::Value(Napi::String::New(env, error.field()));
  return environment.error_class.New(
      {Napi::String::New(env, text_of(error.code())), field, Napi::String::New(env, error.what())});
}

void raise_current(Napi::Env env) {
  const auto raise = [env](const Error& error) { napi_throw(env, to_javascript(env, error)); };
  try {
    throw;
  } catch (const Error& error) {
    raise(error);
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    raise(Error(ErrorCode::kInternal, "", "There is not enough memory for this."));
  } catch (const std::exception& error) {
    raise(Error(ErrorCode::kInternal, "", error.what()));
  }
}

}  // namespace millrace::binding
