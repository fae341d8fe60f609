#include "shared_memory_object.h"

#include "engine/error.h"
#include "environment.h"
#include "fields.h"

namespace millrace::binding {

Napi::Function SharedMemoryObject::define(Napi::Env env) {
  return DefineClass(env, "SharedMemoryHandle",
                     {InstanceMethod<&SharedMemoryObject::buffer>("buffer"),
                      InstanceMethod<&SharedMemoryObject::expect_whole>("expectWhole"),
                      InstanceMethod<&SharedMemoryObject::close>("close")});
}

SharedMemoryObject::SharedMemoryObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<SharedMemoryObject>(info) {
  guarded(info.Env(), [&]() -> Napi::Value {
    if (!info[0].IsString()) refuse_value("key", "a string", info[0]);
    const std::uint64_t offset = to_integer(info[1], "offset", 0, kSafeInteger);
    const std::uint64_t size = to_integer(info[2], "byteSize", 1, kSafeInteger);
    memory_ = std::make_shared<const SharedMemory>(info[0].As<Napi::String>().Utf8Value(), offset, size);
    // The buffer's own share in the mapping, which outlives `close` for as long as somebody has a view.
    auto share = std::make_unique<std::shared_ptr<const SharedMemory>>(memory_);
    const Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(
        info.Env(), memory_->data(), memory_->size(),
        [](Napi::Env, void*, std::shared_ptr<const SharedMemory>* hint) {
          const std::unique_ptr<std::shared_ptr<const SharedMemory>> owner(hint);
        },
        share.get());
    share.release();
    buffer_ = Napi::Persistent(buffer);
    return {};
  });
}

const SharedMemory& SharedMemoryObject::memory() const {
  if (!memory_) throw Error(ErrorCode::kFailedPrecondition, "sharedMemory", "The shared memory has been closed.");
  return *memory_;
}

Napi::Value SharedMemoryObject::buffer(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    memory();
    return buffer_.Value();
  });
}

Napi::Value SharedMemoryObject::expect_whole(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    memory().expect_whole();
    return info.Env().Undefined();
  });
}

Napi::Value SharedMemoryObject::close(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    memory_.reset();
    buffer_.Reset();
    return info.Env().Undefined();
  });
}

}  // namespace millrace::binding
