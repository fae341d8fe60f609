#pragma once

#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>

#include <jpeglib.h>

#include "image_form.h"

#if !defined(JCS_EXTENSIONS)
#error "libjpeg-turbo is needed: this libjpeg cannot give four bytes a pixel"
#endif

namespace millrace {

/// A JPEG file in memory that is read row by row by libjpeg-turbo. What libjpeg refuses is thrown as an error about `content`
/// with its words; so is a file that ends before its last row. Nothing is printed.
class JpegFile {
 public:
  /// Reads up to the first scan, of a copy of the bytes.
  explicit JpegFile(std::span<const std::uint8_t> bytes);
  ~JpegFile();
  JpegFile(const JpegFile&) = delete;
  JpegFile& operator=(const JpegFile&) = delete;

  /// As it is stored, before it is turned.
  ImageSize size() const { return {file_.image_width, file_.image_height}; }
  unsigned orientation() const { return orientation_; }
  /// Whether it is in grey or has three colours; else it is in CMYK or a kind of its own.
  bool is_rgb_or_grey() const;

  /// Begins with the pixels, one of `divisor` (1, 2, 4 or 8) along each axis, the last one perhaps of fewer. Answers how many
  /// come.
  ImageSize start(unsigned divisor);
  /// At most `count` of the next rows, [width, 4] bytes each: red, green, blue, 255. Answers how many were read, at least 1.
  std::size_t read(std::uint8_t* const* rows, std::size_t count);

 private:
  struct Failure {
    jpeg_error_mgr manager;  // first: libjpeg knows this part only
    std::jmp_buf jump;
    char message[JMSG_LENGTH_MAX];
  };

  template <typename Calls>
  void run(Calls calls);
  bool read_beyond_end() const;
  static void fail(j_common_ptr);
  static void watch_scans(j_common_ptr);
  unsigned find_orientation() const;

  std::unique_ptr<std::uint8_t[]> content_;
  jpeg_decompress_struct file_{};
  Failure failure_{};
  jpeg_progress_mgr progress_{};
  unsigned orientation_ = 1;
};

}  // namespace millrace
