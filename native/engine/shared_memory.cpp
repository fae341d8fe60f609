#include "shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "error.h"

namespace millrace {
namespace {

constexpr std::size_t kKeyMax = 255;

void expect_key(const std::string& key) {
  const std::size_t first = !key.empty() && key.front() == '/' ? 1 : 0;
  if (key.size() > first && key.size() <= kKeyMax && key.find('/', first) == std::string::npos &&
      key.find('\0') == std::string::npos) {
    return;
  }
  refuse("key", "Expected `key` to name a shared memory object, such as /tensors: at most " + std::to_string(kKeyMax) +
                    " bytes without a NUL, and no slash but a first one.");
}

[[noreturn]] void refuse_key(const std::string& key, int error) {
  const std::string name = "\"" + key + "\"";
  if (error == ENOENT) refuse("key", "There is no shared memory object " + name + ".");
  if (error == EACCES || error == EPERM) {
    refuse("key", "Expected `key` to be shared memory that this process may read and write, but " + name + " does not permit it.");
  }
  refuse("key", "The shared memory object " + name + " could not be opened: " + std::strerror(error) + ".");
}

std::size_t size_of(const Descriptor& descriptor) {
  struct stat status {};
  if (fstat(descriptor.get(), &status) != 0 || status.st_size < 0) return 0;
  return static_cast<std::size_t>(status.st_size);
}

Descriptor opened(const std::string& key) {
  expect_key(key);
  Descriptor descriptor(shm_open(key.c_str(), O_RDWR, 0));
  if (descriptor.get() < 0) refuse_key(key, errno);
  return descriptor;
}

}  // namespace

SharedMemory::SharedMemory(const std::string& key, std::size_t offset, std::size_t size)
    : key_(key), descriptor_(opened(key)), end_(offset + size), skipped_(0), size_(size) {
  const std::size_t available = size_of(descriptor_);
  if (end_ > available) {
    refuse("byteSize", "Expected shared memory \"" + key + "\" to hold " + std::to_string(size) + " bytes from byte " +
                           std::to_string(offset) + " on but it has " + std::to_string(available) + " bytes in all.");
  }
  skipped_ = offset % static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* mapping = mmap(nullptr, skipped_ + size_, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor_.get(),
                       static_cast<off_t>(offset - skipped_));
  if (mapping == MAP_FAILED) refuse_key(key, errno);
  try {
    guard_ = std::make_unique<GuardedRegion>(mapping, skipped_ + size_);
  } catch (...) {
    munmap(mapping, skipped_ + size_);
    throw;
  }
  mapping_ = mapping;
}

SharedMemory::~SharedMemory() {
  guard_.reset();
  munmap(mapping_, skipped_ + size_);
}

void SharedMemory::expect_whole() const {
  const std::size_t available = size_of(descriptor_);
  if (available < end_) {
    throw Error(ErrorCode::kFailedPrecondition, "key",
                "Shared memory \"" + key_ + "\" has been cut short: expected " + std::to_string(end_) + " bytes but it has " +
                    std::to_string(available) + ".");
  }
  if (!guard_->whole()) {
    throw Error(ErrorCode::kFailedPrecondition, "key",
                "Shared memory \"" + key_ + "\" was cut short, or its file system was full, while it was in use; open it again.");
  }
}

}  // namespace millrace
