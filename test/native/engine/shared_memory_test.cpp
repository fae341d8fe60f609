#include "engine/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <thread>
#include <vector>

#include "check.h"
#include "engine/error.h"

namespace millrace::test {
namespace {

constexpr std::size_t kPage = 4096;

/// A shared memory object of a client, which is gone with it.
class Object {
 public:
  explicit Object(std::size_t size) : key_("/millrace-test-" + std::to_string(getpid())) {
    descriptor_ = shm_open(key_.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
    CHECK(descriptor_ >= 0);
    resize(size);
  }
  ~Object() {
    close(descriptor_);
    shm_unlink(key_.c_str());
  }
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

  void resize(std::size_t size) { CHECK(ftruncate(descriptor_, static_cast<off_t>(size)) == 0); }
  void write(std::size_t offset, char value) { CHECK(pwrite(descriptor_, &value, 1, static_cast<off_t>(offset)) == 1); }
  char read(std::size_t offset) {
    char value = 0;
    CHECK(pread(descriptor_, &value, 1, static_cast<off_t>(offset)) == 1);
    return value;
  }
  const std::string& key() const { return key_; }

 private:
  std::string key_;
  int descriptor_;
};

template <typename Call>
std::string refused(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.field();
  }
  return "nothing";
}

TEST("shared memory refuses names, sizes and objects that are none") {
  Object object(2 * kPage);
  const auto open = [](const std::string& key, std::size_t offset, std::size_t size) {
    return refused([&] { SharedMemory(key, offset, size); });
  };
  for (const std::string& key : {std::string(), std::string("/"), std::string("/a/b"), std::string("//a"),
                                 std::string("/a\0b", 4), std::string(300, 'a'), std::string("/millrace-test-none")}) {
    CHECK(open(key, 0, 1) == "key");
  }
  CHECK(open(object.key(), 0, 2 * kPage + 1) == "byteSize");
  CHECK(open(object.key(), 2 * kPage, 1) == "byteSize");
  CHECK(open(object.key(), 100 * kPage, 1) == "byteSize");
}

TEST("shared memory is read and written where it lies") {
  Object object(3 * kPage);
  SharedMemory memory(object.key(), kPage + 5, kPage);
  object.write(kPage + 5, 'x');
  CHECK(static_cast<char>(memory.data()[0]) == 'x');
  memory.data()[kPage - 1] = std::byte{'y'};
  CHECK(object.read(2 * kPage + 4) == 'y');
  memory.expect_whole();
}

TEST("shared memory that is cut short reads as zeros from there on, and says so for good") {
  Object object(8 * kPage);
  for (std::size_t page = 0; page < 8; ++page) object.write(page * kPage, static_cast<char>('a' + page));
  SharedMemory memory(object.key(), 0, 8 * kPage);
  SharedMemory beginning(object.key(), 0, kPage);
  object.resize(3 * kPage);
  CHECK(refused([&] { memory.expect_whole(); }) == "key");
  // Several threads meet the end at once, reading and writing.
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&memory] {
      std::vector<std::byte> copy(memory.size());
      std::memcpy(copy.data(), memory.data(), memory.size());
      if (copy[2 * kPage] != std::byte{'c'}) std::abort();
      if (copy[5 * kPage] != std::byte{0}) std::abort();
      memory.data()[7 * kPage + 1] = std::byte{1};
    });
  }
  for (std::thread& thread : threads) thread.join();
  object.resize(8 * kPage);
  CHECK(refused([&] { memory.expect_whole(); }) == "key");
  CHECK(object.read(7 * kPage + 1) == 0);
  beginning.expect_whole();
  SharedMemory again(object.key(), 0, 8 * kPage);
  again.expect_whole();
}

TEST("a guard is free for the next region when it is gone") {
  alignas(kPage) static char memory[kPage];
  for (std::size_t i = 0; i < 2 * GuardedRegion::kRegionsMax; ++i) GuardedRegion(memory, kPage);
  std::vector<std::unique_ptr<GuardedRegion>> guards;
  for (std::size_t i = 0; i < GuardedRegion::kRegionsMax; ++i) {
    guards.push_back(std::make_unique<GuardedRegion>(memory, kPage));
  }
  CHECK(refused([&] { GuardedRegion(memory, kPage); }) == "key");
  guards.pop_back();
  CHECK(GuardedRegion(memory, kPage).whole());
}

TEST("a bus error outside of shared memory ends the process as ever") {
  Object object(2 * kPage);
  const SharedMemory guarded(object.key(), 0, kPage);
  const pid_t child = fork();
  if (child == 0) {
    const int silence = open("/dev/null", O_WRONLY);
    dup2(silence, STDERR_FILENO);
    const int descriptor = shm_open(object.key().c_str(), O_RDONLY, 0);
    const auto* other = static_cast<const volatile char*>(mmap(nullptr, 2 * kPage, PROT_READ, MAP_SHARED, descriptor, 0));
    object.resize(kPage);
    static_cast<void>(other[kPage]);
    _exit(0);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
}

}  // namespace
}  // namespace millrace::test
