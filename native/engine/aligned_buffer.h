#pragma once

#include <cstddef>
#include <new>
#include <vector>

namespace millrace {

/// Gives memory on cache-line bounds, so that a vector load never straddles two lines.
template <typename T>
struct CacheLineAllocator {
  using value_type = T;
  static constexpr std::align_val_t kAlignment{64};

  CacheLineAllocator() noexcept = default;
  template <typename U>
  CacheLineAllocator(const CacheLineAllocator<U>&) noexcept {}

  T* allocate(std::size_t count) { return static_cast<T*>(::operator new(count * sizeof(T), kAlignment)); }
  void deallocate(T* pointer, std::size_t) noexcept { ::operator delete(pointer, kAlignment); }

  template <typename U>
  bool operator==(const CacheLineAllocator<U>&) const noexcept {
    return true;
  }
};

/// Owner of zero-initialised numbers at a 64-byte boundary.
template <typename T>
using AlignedBuffer = std::vector<T, CacheLineAllocator<T>>;

}  // namespace millrace
