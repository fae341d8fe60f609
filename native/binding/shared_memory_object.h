#pragma once

#include <napi.h>

#include <memory>

#include "engine/shared_memory.h"

namespace millrace::binding {

/// `new SharedMemoryHandle(key, offset, byteSize)`; the TypeScript class SharedMemory wraps it.
class SharedMemoryObject : public Napi::ObjectWrap<SharedMemoryObject> {
 public:
  static Napi::Function define(Napi::Env);

  explicit SharedMemoryObject(const Napi::CallbackInfo&);

 private:
  Napi::Value buffer(const Napi::CallbackInfo&);
  Napi::Value expect_whole(const Napi::CallbackInfo&);
  Napi::Value close(const Napi::CallbackInfo&);

  /// Refuses after close.
  const SharedMemory& memory() const;

  std::shared_ptr<const SharedMemory> memory_;  // null after close; the array buffer holds it as well
  Napi::Reference<Napi::ArrayBuffer> buffer_;
};

}  // namespace millrace::binding
