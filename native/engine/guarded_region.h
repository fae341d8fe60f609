#pragma once

#include <cstddef>

namespace millrace {

/// Mapped memory that another program may take away while it is in use, by cutting the file short. Touching a page behind the
/// end of a file is a SIGBUS, which ends the process. While a region is guarded, the process's handler answers such a fault
/// by putting private pages of zeros in the place of the rest of the region, from the faulting page on, and the interrupted
/// instruction goes on with them, on whichever thread and in whoever's code. What is read then means nothing: `whole` tells.
/// Nothing is unwound, so that no lock or allocation of the interrupted code is left half done. Any other SIGBUS goes to the
/// handler before, or ends the process as ever.
class GuardedRegion {
 public:
  /// Regions of one process at a time.
  static constexpr std::size_t kRegionsMax = 16384;

  /// `memory` is where whole pages begin that stay mapped for as long as this lives. Refuses, naming `key`, more regions than
  /// kRegionsMax.
  GuardedRegion(void* memory, std::size_t size);
  ~GuardedRegion();
  GuardedRegion(const GuardedRegion&) = delete;
  GuardedRegion& operator=(const GuardedRegion&) = delete;

  /// Whether every page is still the file's.
  bool whole() const;

 private:
  std::size_t slot_;
};

}  // namespace millrace
