#include "jpeg_file.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <jerror.h>

#include "../error.h"
#include "exif_orientation.h"

namespace millrace {
namespace {

// A few kilobytes can hold any number of scans, each of which goes through all pixels. Those of encoders have ten or so.
constexpr int kScansMax = 500;
// libjpeg-turbo decodes at full speed as long as so many bytes follow (512 for each of the 10 blocks that belong together at
// most, jdhuff.c): the last part of a file, and the whole of a small one, would be decoded at half of it.
constexpr std::size_t kBytesBeyond = 5120;
constexpr auto kEnds = [] {
  std::array<std::uint8_t, kBytesBeyond> ends{};
  for (std::size_t i = 0; i < ends.size(); ++i) ends[i] = i % 2 == 0 ? 0xff : JPEG_EOI;
  return ends;
}();
constexpr char kExif[] = "Exif\0";  // and the 0 that ends the literal

}  // namespace

// `calls` may own nothing: a failure of libjpeg leaves its frame without destructors.
template <typename Calls>
void JpegFile::run(Calls calls) {
  if (setjmp(failure_.jump) == 0) {
    calls();
    // What a file lacks was made up from the ends that stand behind it.
    if (read_beyond_end()) ERREXIT(&file_, JERR_INPUT_EOF);
    return;
  }
  refuse("content", failure_.message);
}

void JpegFile::fail(j_common_ptr file) {
  // NOLINTNEXTLINE: the manager is the first member.
  auto* failure = reinterpret_cast<Failure*>(file->err);
  if (static_cast<const JpegFile*>(file->client_data)->read_beyond_end()) file->err->msg_code = JERR_INPUT_EOF;
  file->err->format_message(file, failure->message);
  std::longjmp(failure->jump, 1);
}

void JpegFile::watch_scans(j_common_ptr file) {
  if (reinterpret_cast<j_decompress_ptr>(file)->input_scan_number > kScansMax) ERREXIT(file, JERR_BAD_PROGRESSION);
}

JpegFile::JpegFile(std::span<const std::uint8_t> bytes)
    : content_(std::make_unique_for_overwrite<std::uint8_t[]>(bytes.size() + kBytesBeyond)) {
  std::copy(kEnds.begin(), kEnds.end(), std::copy(bytes.begin(), bytes.end(), content_.get()));
  file_.err = jpeg_std_error(&failure_.manager);
  failure_.manager.error_exit = fail;
  failure_.manager.output_message = [](j_common_ptr) {};
  progress_.progress_monitor = watch_scans;
  try {
    run([&] {
      jpeg_create_decompress(&file_);
      file_.client_data = this;
      file_.progress = &progress_;
      jpeg_mem_src(&file_, content_.get(), bytes.size() + kBytesBeyond);
      // libjpeg's own makes up an end and goes on.
      file_.src->fill_input_buffer = [](j_decompress_ptr file) -> boolean {
        ERREXIT(file, JERR_INPUT_EOF);
        return FALSE;
      };
      jpeg_save_markers(&file_, JPEG_APP0 + 1, 0xffff);
      jpeg_read_header(&file_, TRUE);
    });
  } catch (const Error&) {
    jpeg_destroy_decompress(&file_);
    throw;
  }
  orientation_ = find_orientation();
}

JpegFile::~JpegFile() { jpeg_destroy_decompress(&file_); }

bool JpegFile::read_beyond_end() const { return file_.src != nullptr && file_.src->bytes_in_buffer < kBytesBeyond; }

bool JpegFile::is_rgb_or_grey() const {
  const auto colours = file_.jpeg_color_space;
  return colours == JCS_GRAYSCALE || colours == JCS_RGB || colours == JCS_YCbCr;
}

unsigned JpegFile::find_orientation() const {
  for (const jpeg_marker_struct* marker = file_.marker_list; marker != nullptr; marker = marker->next) {
    if (marker->data_length > sizeof(kExif) && std::memcmp(marker->data, kExif, sizeof(kExif)) == 0) {
      return exif_orientation({marker->data + sizeof(kExif), marker->data_length - sizeof(kExif)});
    }
  }
  return 1;
}

ImageSize JpegFile::start(unsigned divisor) {
  run([&] {
    file_.out_color_space = JCS_EXT_RGBX;
    file_.scale_num = 1;
    file_.scale_denom = divisor;
    jpeg_start_decompress(&file_);
  });
  return {file_.output_width, file_.output_height};
}

std::size_t JpegFile::read(std::uint8_t* const* rows, std::size_t count) {
  JDIMENSION read = 0;
  run([&] { read = jpeg_read_scanlines(&file_, const_cast<JSAMPARRAY>(rows), static_cast<JDIMENSION>(count)); });
  // Sources that are in memory never ask to wait.
  if (read == 0) refuse("content", "it has fewer rows than it says");
  return read;
}

}  // namespace millrace
