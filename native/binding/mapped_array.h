#pragma once

#include <napi.h>

#include <cstddef>
#include <memory>

#include "engine/element_type.h"
#include "engine/mapped_file.h"

namespace millrace::binding {

/// A mapped file and how many calls are reading it. Touched on its environment's JavaScript thread only.
struct MappedState {
  std::unique_ptr<MappedFile> file;  // null after close
  ElementType type;
  unsigned readers = 0;

  std::size_t length() const { return file->size() / size_of(type); }
};

/// Keeps a mapped file open for as long as it lives.
class MappedUse {
 public:
  explicit MappedUse(std::shared_ptr<MappedState> state) : state_(std::move(state)) { ++state_->readers; }
  ~MappedUse() {
    if (state_) --state_->readers;
  }
  MappedUse(MappedUse&&) = default;
  MappedUse& operator=(MappedUse&&) = delete;

  const MappedFile& file() const { return *state_->file; }

 private:
  std::shared_ptr<MappedState> state_;
};

/// `new MappedArrayHandle(path, type, byteOffset, length or null)`; the TypeScript class MappedArray wraps it.
class MappedArrayObject : public Napi::ObjectWrap<MappedArrayObject> {
 public:
  static Napi::Function define(Napi::Env);
  /// The state behind a handle, or null for anything else.
  static std::shared_ptr<MappedState> state_of(const Napi::Value&);

  explicit MappedArrayObject(const Napi::CallbackInfo&);

 private:
  Napi::Value length(const Napi::CallbackInfo&);
  Napi::Value close(const Napi::CallbackInfo&);

  std::shared_ptr<MappedState> state_;
};

}  // namespace millrace::binding
