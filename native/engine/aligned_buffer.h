#pragma once

#include <cstddef>
#include <new>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace millrace {

/// Gives memory on cache-line bounds, so that a vector load never straddles two lines; large pieces on the bounds of large
/// pages, which the kernel is asked for: a pass over many megabytes otherwise waits for address translation.
template <typename T>
struct CacheLineAllocator {
  using value_type = T;
  static constexpr std::size_t kLineBytes = 64;
  static constexpr std::size_t kLargePageBytes = std::size_t{2} << 20;

  CacheLineAllocator() noexcept = default;
  template <typename U>
  CacheLineAllocator(const CacheLineAllocator<U>&) noexcept {}

  T* allocate(std::size_t count) {
    const std::size_t bytes = count * sizeof(T);
    void* memory = ::operator new(bytes, alignment_of(count));
#if defined(__linux__)
    // Only a wish: where it is not granted the memory is as good, and slower.
    if (bytes >= kLargePageBytes) madvise(memory, bytes, MADV_HUGEPAGE);
#endif
    return static_cast<T*>(memory);
  }
  void deallocate(T* pointer, std::size_t count) noexcept { ::operator delete(pointer, alignment_of(count)); }

  template <typename U>
  bool operator==(const CacheLineAllocator<U>&) const noexcept {
    return true;
  }

 private:
  static std::align_val_t alignment_of(std::size_t count) {
    return std::align_val_t{count * sizeof(T) >= kLargePageBytes ? kLargePageBytes : kLineBytes};
  }
};

/// Owner of zero-initialised numbers at a 64-byte boundary.
template <typename T>
using AlignedBuffer = std::vector<T, CacheLineAllocator<T>>;

}  // namespace millrace
