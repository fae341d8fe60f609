#include "guarded_region.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <string>

#include "error.h"

namespace millrace {
namespace {

/// What the handler reads: it may come at any instant, so there is no lock and no memory to allocate. A slot is free when
/// `begin` is 0, and is in use from the moment that `begin` is written, after the rest.
struct Slot {
  std::atomic<std::uintptr_t> begin{0};
  std::atomic<std::uintptr_t> end{0};
  std::atomic<bool> replaced{false};
};
static_assert(std::atomic<std::uintptr_t>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

Slot slots[GuardedRegion::kRegionsMax];
std::atomic<std::size_t> slots_used{0};  // no slot from here on has ever been in use
std::mutex changing;                     // held by whoever takes a slot, never by the handler
struct sigaction previous {};
std::uintptr_t page_mask = 0;

/// mmap is a bare system call on the systems at hand, and so safe in a handler though POSIX does not list it.
bool replace_pages(std::uintptr_t address) {
  const std::size_t used = slots_used.load(std::memory_order_acquire);
  for (std::size_t index = 0; index < used; ++index) {
    Slot& slot = slots[index];
    const std::uintptr_t begin = slot.begin.load(std::memory_order_acquire);
    const std::uintptr_t end = slot.end.load(std::memory_order_relaxed);
    if (begin == 0 || address < begin || address >= end) continue;
    const std::uintptr_t page = address & page_mask;
    slot.replaced.store(true);
    void* memory = mmap(reinterpret_cast<void*>(page), end - page, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
    return memory != MAP_FAILED;
  }
  return false;
}

void on_bus_error(int signal, siginfo_t* info, void* context) {
  const int error = errno;
  const bool fault = info->si_code == BUS_ADRERR;
  if (fault && replace_pages(reinterpret_cast<std::uintptr_t>(info->si_addr))) {
    errno = error;
    return;
  }
  if ((previous.sa_flags & SA_SIGINFO) != 0) return previous.sa_sigaction(signal, info, context);
  if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) return previous.sa_handler(signal);
  // The instruction is tried again and ends the process; a signal that somebody sent is sent again.
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  sigaction(signal, &standard, nullptr);
  if (info->si_code <= 0) raise(signal);
}

void install_handler() {
  static const bool installed = [] {
    page_mask = ~(static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE)) - 1);
    struct sigaction action {};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGBUS, nullptr, &previous) != 0 || sigaction(SIGBUS, &action, nullptr) != 0) {
      throw Error(ErrorCode::kInternal, "", "No handler for SIGBUS could be installed: " + std::string(std::strerror(errno)));
    }
    return true;
  }();
  static_cast<void>(installed);
}

}  // namespace

GuardedRegion::GuardedRegion(void* memory, std::size_t size) : slot_(0) {
  install_handler();
  const std::lock_guard lock(changing);
  while (slot_ < kRegionsMax && slots[slot_].begin.load() != 0) ++slot_;
  if (slot_ == kRegionsMax) {
    refuse("key", "Expected at most " + std::to_string(kRegionsMax) + " regions of shared memory to be open at once.");
  }
  const auto begin = reinterpret_cast<std::uintptr_t>(memory);
  Slot& slot = slots[slot_];
  slot.end.store((begin + size + ~page_mask) & page_mask);
  slot.replaced.store(false);
  slot.begin.store(begin, std::memory_order_release);
  if (slot_ >= slots_used.load()) slots_used.store(slot_ + 1, std::memory_order_release);
}

GuardedRegion::~GuardedRegion() {
  const std::lock_guard lock(changing);
  slots[slot_].begin.store(0);
}

bool GuardedRegion::whole() const { return !slots[slot_].replaced.load(); }

}  // namespace millrace
