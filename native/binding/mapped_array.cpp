#include "mapped_array.h"

#include <optional>
#include <string>

#include "elements.h"
#include "engine/error.h"
#include "environment.h"
#include "fields.h"

namespace millrace::binding {
namespace {

constexpr napi_type_tag kMappedArrayTag{0x8f1d3c5e7a9b4d60, 0x9a2c4e6f80b1d3f5};

}  // namespace

Napi::Function MappedArrayObject::define(Napi::Env env) {
  return DefineClass(env, "MappedArrayHandle",
                     {InstanceMethod<&MappedArrayObject::length>("length"),
                      InstanceMethod<&MappedArrayObject::close>("close")});
}

std::shared_ptr<MappedState> MappedArrayObject::state_of(const Napi::Value& value) {
  bool tagged = false;
  if (value.IsObject()) napi_check_object_type_tag(value.Env(), value, &kMappedArrayTag, &tagged);
  return tagged ? Unwrap(value.As<Napi::Object>())->state_ : nullptr;
}

MappedArrayObject::MappedArrayObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<MappedArrayObject>(info) {
  guarded(info.Env(), [&]() -> Napi::Value {
    napi_type_tag_object(info.Env(), info.This(), &kMappedArrayTag);
    if (!info[0].IsString()) refuse_value("path", "a string", info[0]);
    if (!info[1].IsString()) refuse_value("type", "a string", info[1]);
    const ElementType type = to_choice(info[1].As<Napi::String>().Utf8Value(), "type", kElementTypes);
    const std::size_t size = size_of(type);
    const std::uint64_t offset = to_integer(info[2], "byteOffset", 0, kSafeInteger);
    if (offset % size != 0) {
      refuse("byteOffset", "Expected `byteOffset` to be a multiple of the " + std::to_string(size) + " bytes of a " +
                               name_of(type) + " but received " + std::to_string(offset) + ".");
    }
    std::optional<std::size_t> bytes;
    if (!info[3].IsNull()) bytes = to_integer(info[3], "length", 1, kSafeInteger / 8) * size;
    auto file = std::make_unique<MappedFile>(info[0].As<Napi::String>().Utf8Value(), offset, bytes);
    if (file->size() % size != 0) {
      refuse("length", "Expected the " + std::to_string(file->size()) + " bytes from `byteOffset` on to be whole " +
                           name_of(type) + " numbers; give `length`.");
    }
    state_ = std::make_shared<MappedState>();
    state_->file = std::move(file);
    state_->type = type;
    return {};
  });
}

Napi::Value MappedArrayObject::length(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    if (!state_->file) throw Error(ErrorCode::kFailedPrecondition, "mappedArray", "The mapped array has been closed.");
    return Napi::Number::New(info.Env(), static_cast<double>(state_->length()));
  });
}

Napi::Value MappedArrayObject::close(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    if (state_->readers > 0) {
      throw Error(ErrorCode::kFailedPrecondition, "mappedArray", "The mapped array is in use; wait for the call to end.");
    }
    state_->file.reset();
    return info.Env().Undefined();
  });
}

}  // namespace millrace::binding
