#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "descriptor.h"

namespace millrace {

/// A part of a regular file, mapped for reading only: its pages come from the page cache when they are touched and go
/// when memory is short, so that a dataset may be larger than memory.
///
/// The file must keep its length. Touching a page behind the end of a file that was cut short is a SIGBUS, which ends the
/// process and which no library can answer soundly; `expect_whole` finds such a file before a call begins to read.
class MappedFile {
 public:
  /// Copy-on-write lets `data` be written to, which changes neither the file nor what others see; a page is shared until then.
  enum class Mode { kReadOnly, kCopyOnWrite };

  /// `size` bytes from `offset` on, or all that follow it. Refuses, naming `path`, `byteOffset` or `length`, what cannot
  /// be opened, is no regular file, or is too short.
  MappedFile(const std::string& path, std::size_t offset, std::optional<std::size_t> size, Mode mode = Mode::kReadOnly);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::byte* data() const { return static_cast<const std::byte*>(mapping_) + skipped_; }
  std::byte* data() { return static_cast<std::byte*>(mapping_) + skipped_; }
  std::size_t size() const { return size_; }

  /// What changes when the file is written to or replaced.
  struct Version {
    std::uint64_t inode;
    std::uint64_t seconds;
    std::uint64_t nanoseconds;
  };
  Version version() const;

  /// Throws kFailedPrecondition when the file has become shorter than what is mapped.
  void expect_whole(const std::string& field) const;

  /// How the pages will be read next. `kScattered` turns reading ahead off for a file of more than half the memory, where
  /// most of what is read ahead would be gone before its turn.
  enum class Access { kInOrder, kScattered };
  void advise(Access) const noexcept;

 private:
  Descriptor descriptor_{-1};
  std::size_t end_ = 0;      // of the mapped part in the file
  std::size_t skipped_ = 0;  // from the beginning of a page to the first byte asked for
  std::size_t size_ = 0;
  void* mapping_ = nullptr;
};

}  // namespace millrace
