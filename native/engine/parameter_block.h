#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include "aligned_buffer.h"
#include "mapped_file.h"

namespace millrace {

/// A network's numbers, on cache-line bounds: memory of the process's own, zeros at first, or a part of a file mapped
/// copy-on-write, whose pages every process that maps it shares until it writes to them.
class ParameterBlock {
 public:
  ParameterBlock() = default;
  explicit ParameterBlock(std::size_t size) : own_(size), size_(size) {}
  explicit ParameterBlock(AlignedBuffer<float> numbers) : own_(std::move(numbers)), size_(own_.size()) {}
  /// `size` floats from byte `offset` of the mapping on, a multiple of 64.
  ParameterBlock(std::shared_ptr<MappedFile> file, std::size_t offset, std::size_t size)
      : file_(std::move(file)), offset_(offset), size_(size) {}

  float* data() { return file_ ? reinterpret_cast<float*>(file_->data() + offset_) : own_.data(); }
  const float* data() const { return file_ ? reinterpret_cast<const float*>(file_->data() + offset_) : own_.data(); }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  AlignedBuffer<float> own_;
  std::shared_ptr<MappedFile> file_;  // null: own_
  std::size_t offset_ = 0;
  std::size_t size_ = 0;
};

}  // namespace millrace
