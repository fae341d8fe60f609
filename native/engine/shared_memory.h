#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "descriptor.h"
#include "guarded_region.h"

namespace millrace {

/// A part of a POSIX shared memory object that another program has made, mapped for reading and writing. That program may
/// write to it and cut it short at any time; neither ends this process (see GuardedRegion), and `expect_whole` tells of the
/// latter.
class SharedMemory {
 public:
  /// `size` bytes from `offset` on. Refuses, naming `key` or `byteSize`, what is no name, does not exist, may not be read and
  /// written, or is too short.
  SharedMemory(const std::string& key, std::size_t offset, std::size_t size);
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  std::byte* data() const { return static_cast<std::byte*>(mapping_) + skipped_; }
  std::size_t size() const { return size_; }

  /// Throws kFailedPrecondition when the object is shorter than what is mapped, or was while it was used: then its end has
  /// been replaced by zeros of this process's own, for good.
  void expect_whole() const;

 private:
  std::string key_;
  Descriptor descriptor_;
  std::size_t end_;      // of the mapped part in the object
  std::size_t skipped_;  // from the beginning of a page to the first byte asked for
  std::size_t size_;
  void* mapping_ = nullptr;
  std::unique_ptr<GuardedRegion> guard_;
};

}  // namespace millrace
