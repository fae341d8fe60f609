#include "mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "error.h"

namespace millrace {
namespace {

[[noreturn]] void refuse_path(const std::string& path, const std::string& why) {
  refuse("path", "Expected `path` to be a file that can be read, but \"" + path + "\" " + why + ".");
}

std::size_t page_size() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }

std::size_t memory_size() { return static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES)) * page_size(); }

}  // namespace

MappedFile::MappedFile(const std::string& path, std::size_t offset, std::optional<std::size_t> size, Mode mode) {
  if (path.find('\0') != std::string::npos) refuse("path", "Expected `path` to hold no NUL character.");
  // Without O_NONBLOCK opening a pipe would wait for its other end.
  Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) refuse_path(path, "could not be opened: " + std::string(std::strerror(errno)));
  struct stat status {};
  if (fstat(file.get(), &status) != 0) refuse_path(path, "has no size: " + std::string(std::strerror(errno)));
  if (S_ISDIR(status.st_mode)) refuse_path(path, "is a folder");
  if (!S_ISREG(status.st_mode)) refuse_path(path, "is no regular file");
  const auto available = static_cast<std::size_t>(status.st_size);
  if (offset >= available) {
    refuse("byteOffset", "Expected `byteOffset` to lie within the " + std::to_string(available) + " bytes of \"" + path +
                             "\" but received " + std::to_string(offset) + ".");
  }
  size_ = size.value_or(available - offset);
  if (size_ > available - offset) {
    refuse("length", "Expected \"" + path + "\" to hold " + std::to_string(size_) + " bytes from byte " +
                         std::to_string(offset) + " on but it has " + std::to_string(available - offset) + ".");
  }
  end_ = offset + size_;
  skipped_ = offset % page_size();
  const bool writable = mode == Mode::kCopyOnWrite;
  mapping_ = mmap(nullptr, skipped_ + size_, writable ? PROT_READ | PROT_WRITE : PROT_READ,
                  writable ? MAP_PRIVATE | MAP_NORESERVE : MAP_SHARED, file.get(), static_cast<off_t>(offset - skipped_));
  if (mapping_ == MAP_FAILED) refuse_path(path, "could not be mapped: " + std::string(std::strerror(errno)));
  descriptor_ = std::move(file);
}

MappedFile::~MappedFile() { munmap(mapping_, skipped_ + size_); }

void MappedFile::expect_whole(const std::string& field) const {
  struct stat status {};
  if (fstat(descriptor_.get(), &status) == 0 && static_cast<std::size_t>(status.st_size) >= end_) return;
  throw Error(ErrorCode::kFailedPrecondition, field,
              "The file behind `" + field + "` has been cut short: expected " + std::to_string(end_) +
                  " bytes but it has " + std::to_string(status.st_size) + ".");
}

MappedFile::Version MappedFile::version() const {
  struct stat status {};
  if (fstat(descriptor_.get(), &status) != 0) return {};
#if defined(__APPLE__)
  const struct timespec& changed = status.st_mtimespec;
#else
  const struct timespec& changed = status.st_mtim;
#endif
  return {status.st_ino, static_cast<std::uint64_t>(changed.tv_sec), static_cast<std::uint64_t>(changed.tv_nsec)};
}

void MappedFile::advise(Access access) const noexcept {
  const bool larger = size_ > memory_size() / 2;
  const int advice = access == Access::kInOrder ? MADV_SEQUENTIAL : larger ? MADV_RANDOM : MADV_NORMAL;
  // It is no more than advice: where the system takes none, pages come all the same.
  madvise(mapping_, skipped_ + size_, advice);
}

}  // namespace millrace
