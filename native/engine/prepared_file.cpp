#include "prepared_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

#include "descriptor.h"
#include "error.h"
#include "panel.h"

namespace millrace {
namespace {

constexpr char kMagic[24] = "millrace.prepared/1";
/// Blocks begin at multiples of it, which are multiples of every processor's pages.
constexpr std::size_t kAlignment = 65536;

struct Header {
  char magic[sizeof(kMagic)];
  std::uint64_t identity;
  std::uint64_t block_size;   // floats
  std::uint64_t folded_size;  // floats
  std::uint64_t sum;          // of both blocks
};

/// FNV-1a, 64 bits.
class Identity {
 public:
  void add(const void* bytes, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) value_ = (value_ ^ static_cast<const unsigned char*>(bytes)[i]) * 0x100000001b3u;
  }
  template <typename Number>
  void add(Number number) {
    add(&number, sizeof(number));
  }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325u;
};

/// Any change of one number changes it; eight chains side by side, so that it costs no more than reading the memory.
std::uint64_t sum_of(const float* numbers, std::size_t count) {
  std::array<std::uint64_t, 8> chains{};
  // Blocks are whole cache lines.
  for (std::size_t i = 0; i + 16 <= count; i += 16) {
    std::array<std::uint64_t, 8> line;
    std::memcpy(line.data(), numbers + i, sizeof(line));
    for (std::size_t lane = 0; lane < 8; ++lane) {
      chains[lane] = std::rotl(chains[lane] ^ line[lane], 29) * 0x9e3779b97f4a7c15u + 1;
    }
  }
  Identity total;
  total.add(count);
  for (const std::uint64_t chain : chains) total.add(chain);
  return total.value();
}

std::uint64_t sum_of(const ParameterBlock& block, const ParameterBlock& folded) {
  return sum_of(block.data(), block.size()) ^ std::rotl(sum_of(folded.data(), folded.size()), 1);
}

constexpr std::size_t up_to_alignment(std::size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

std::size_t folded_offset(const Header& header) { return kAlignment + up_to_alignment(header.block_size * sizeof(float)); }

[[noreturn]] void refuse_writing(const std::string& path, const char* what) {
  throw Error(ErrorCode::kFailedPrecondition, "preparedPath",
              "The prepared network \"" + path + "\" could not be " + what + ": " + std::strerror(errno) + ".");
}

/// A file that is removed unless it is renamed.
class Draft {
 public:
  explicit Draft(const std::string& path) : path_(path), name_(name_beside(path)), descriptor_(create(name_)) {
    if (descriptor_.get() < 0) refuse_writing(path, "written");
  }
  ~Draft() {
    if (!name_.empty()) unlink(name_.c_str());
  }
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;

  void write(const void* bytes, std::size_t size, std::size_t offset) {
    for (std::size_t done = 0; done < size;) {
      const ssize_t count = pwrite(descriptor_.get(), static_cast<const char*>(bytes) + done, size - done,
                                   static_cast<off_t>(offset + done));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) refuse_writing(path_, "written");
      done += static_cast<std::size_t>(count);
    }
  }

  void resize(std::size_t size) {
    if (ftruncate(descriptor_.get(), static_cast<off_t>(size)) != 0) refuse_writing(path_, "written");
  }

  void publish() {
    if (fsync(descriptor_.get()) != 0) refuse_writing(path_, "written");
    if (std::rename(name_.c_str(), path_.c_str()) != 0) refuse_writing(path_, "put in place");
    name_.clear();
  }

 private:
  static std::string name_beside(const std::string& path) {
    static std::atomic<unsigned> drafts{0};
    return path + "." + std::to_string(getpid()) + "-" + std::to_string(drafts++) + ".draft";
  }
  static int create(const std::string& name) { return open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600); }

  std::string path_;
  std::string name_;
  Descriptor descriptor_;
};

}  // namespace

std::uint64_t identity_of(const Network& network, const MappedFile& source) {
  Identity identity;
  const MappedFile::Version version = source.version();
  for (const std::uint64_t number : {version.inode, version.seconds, version.nanoseconds}) identity.add(number);
  identity.add(source.size());
  for (const ParameterTensor& tensor : network.tensors()) {
    identity.add(tensor.name.data(), tensor.name.size() + 1);
    identity.add(tensor.offset);
    for (const std::size_t length : tensor.shape) identity.add(length);
  }
  for (const Operation& operation : network.operations()) {
    identity.add(operation.type);
    identity.add(operation.input);
    identity.add(operation.epsilon);
  }
  identity.add(kPanelWidth);
  return identity.value();
}

bool map_prepared(Network& network, const std::string& path, std::uint64_t identity) {
  std::shared_ptr<MappedFile> file;
  try {
    file = std::make_shared<MappedFile>(path, 0, std::nullopt, MappedFile::Mode::kCopyOnWrite);
  } catch (const Error&) {
    return false;  // Whatever stands in the way of reading it stands in the way of writing it, and is told there.
  }
  Header header;
  if (file->size() < kAlignment) return false;
  std::memcpy(&header, file->data(), sizeof(header));
  const std::size_t folded_size = network.prediction().folded_size();
  if (std::memcmp(header.magic, kMagic, sizeof(kMagic)) != 0 || header.identity != identity ||
      header.block_size != network.block_size() || header.folded_size != folded_size ||
      file->size() != folded_offset(header) + folded_size * sizeof(float)) {
    return false;
  }
  ParameterBlock block(file, kAlignment, header.block_size);
  ParameterBlock folded;
  if (folded_size > 0) folded = ParameterBlock(file, folded_offset(header), folded_size);
  if (sum_of(block, folded) != header.sum) return false;
  network.adopt(std::move(block), std::move(folded));
  return true;
}

void write_prepared(Network& network, const std::string& path, std::uint64_t identity) {
  const ParameterBlock& block = network.block();
  const ParameterBlock& folded = network.prediction().folded();
  Header header{};
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  header.identity = identity;
  header.block_size = block.size();
  header.folded_size = folded.size();
  header.sum = sum_of(block, folded);
  Draft draft(path);
  draft.write(&header, sizeof(header), 0);
  draft.write(block.data(), block.size() * sizeof(float), kAlignment);
  const std::size_t end = folded_offset(header);
  draft.write(folded.data(), folded.size() * sizeof(float), end);
  // Where nothing is folded the file ends at a whole unit all the same.
  draft.resize(end + folded.size() * sizeof(float));
  // Others may have made it meanwhile: one file for all is what shares its pages.
  if (map_prepared(network, path, identity)) return;
  draft.publish();
  if (!map_prepared(network, path, identity)) refuse_writing(path, "read back");
}

}  // namespace millrace
