#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "csv.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace millrace {

/// Records one after the other, their fields without quotes: field `i` of record `r` is [from(r, i), to(r, i)).
struct PlainFields {
  std::size_t records;
  /// Places of delimiters and line ends; the one before the first field, too.
  const std::uint8_t* const* ends;
  /// Places of a record: one more than fields where a line ends with two bytes.
  std::size_t stride;

  const std::uint8_t* from(std::size_t record, std::size_t field) const { return ends[record * stride + field] + 1; }
  const std::uint8_t* to(std::size_t record, std::size_t field) const { return ends[record * stride + field + 1]; }
  /// The places around field `i` of record `r`: those of the records after it are `stride` behind each other.
  const std::uint8_t* const* at(std::size_t record, std::size_t field) const { return ends + record * stride + field; }
  /// Where the records end.
  const std::uint8_t* end() const { return ends[records * stride] + 1; }
};

/// Finds where fields end, block by block, before anybody looks at what is in them: one field need not wait for the length of the
/// one before it (Langdale and Lemire 2019, "Parsing gigabytes of JSON per second", section 3.1).
class FieldEnds {
 public:
  FieldEnds(const std::uint8_t* end, std::uint8_t delimiter)
      : end_(end),
        delimiter_(delimiter),
        ends_(std::make_unique_for_overwrite<const std::uint8_t*[]>(kBlockBytesMax + kStride)) {}

  /// Whole records from `at` on, within a block, with so many fields each; none where the first has quotes, other fields or a
  /// line end of its own, or is long.
  PlainFields next(const std::uint8_t* at, std::size_t fields, std::size_t record_bytes_max) {
    const std::size_t count = find(at);
    PlainFields found{0, ends_.get(), fields};
    block_bytes_ = kBlockBytesMin;
    if (count <= fields) return found;
    if (*ends_[fields] == '\r') ++found.stride;
    while ((found.records + 1) * found.stride < count && is_plain(found, fields)) {
      if (static_cast<std::size_t>(ends_[(found.records + 1) * found.stride] - found.end()) >= record_bytes_max) break;
      ++found.records;
    }
    if (found.records > 0) block_bytes_ = kBlockBytesMax;
    return found;
  }

 private:
  /// The first block is small, and those after a record that is not plain: the caller may come for each record.
  static constexpr std::size_t kBlockBytesMin = 512;
  static constexpr std::size_t kBlockBytesMax = 8 * 1024;
  static constexpr std::size_t kStride = 64;

  /// Of the record after those that were found.
  bool is_plain(const PlainFields& found, std::size_t fields) const {
    const std::uint8_t* const* ends = &ends_[found.records * found.stride + 1];
    bool is = true;
    for (std::size_t i = 0; i + 1 < fields; ++i) is &= *ends[i] == delimiter_;
    if (found.stride == fields) return is && *ends[fields - 1] == '\n';
    return is && *ends[fields - 1] == '\r' && *ends[fields] == '\n' && ends[fields] == ends[fields - 1] + 1;
  }

  /// Answers how many places are known, with that before `at`.
  std::size_t find(const std::uint8_t* at) {
    const std::uint8_t* to = at + std::min(block_bytes_, static_cast<std::size_t>(end_ - at));
    ends_[0] = at - 1;
    std::size_t count = 1;
    for (; at + kStride <= to; at += kStride) count = add(at, marks_of(at), count);
    if (at < to) {
      std::uint8_t rest[kStride] = {};
      std::memcpy(rest, at, static_cast<std::size_t>(to - at));
      count = add(at, marks_of(rest), count);
    }
    return count;
  }

  std::size_t add(const std::uint8_t* at, std::uint64_t marks, std::size_t count) {
    for (; marks != 0; marks &= marks - 1) ends_[count++] = at + std::countr_zero(marks);
    return count;
  }

  /// A bit for each of the bytes.
  std::uint64_t marks_of(const std::uint8_t* at) const {
    std::uint64_t marks = 0;
#if defined(__SSE2__)
    constexpr std::size_t kWidth = sizeof(__m128i);
    for (std::size_t i = 0; i < kStride; i += kWidth) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + i));
      const auto are = [&](std::uint8_t byte) { return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(static_cast<char>(byte))); };
      const __m128i found = _mm_or_si128(_mm_or_si128(are(delimiter_), are('"')), _mm_or_si128(are('\n'), are('\r')));
      marks |= static_cast<std::uint64_t>(static_cast<unsigned>(_mm_movemask_epi8(found))) << i;
    }
#else
    for (std::size_t i = 0; i < kStride; ++i) {
      const bool is_end = at[i] == delimiter_ || at[i] == '"' || at[i] == '\n' || at[i] == '\r';
      marks |= static_cast<std::uint64_t>(is_end) << i;
    }
#endif
    return marks;
  }

  const std::uint8_t* end_;
  std::uint8_t delimiter_;
  std::size_t block_bytes_ = kBlockBytesMin;
  std::unique_ptr<const std::uint8_t*[]> ends_;
};

inline constexpr std::size_t kSafeDigits = 18;

inline bool is_digit(std::uint8_t byte) { return static_cast<std::uint8_t>(byte - '0') <= 9; }

/// Goes over numbers byte by byte.
class PlainNumbers {
 public:
  /// @param end behind the last byte that may be read
  PlainNumbers(const std::uint8_t* end, const CsvForm& form)
      : end_(end), delimiter_(form.delimiter), line_end_(form.is_cr_lf ? '\r' : '\n') {}

  /// Where a field ends that is empty, or a number of at most this kind; null, or within the field: it is none.
  const std::uint8_t* skip(const std::uint8_t* at, CsvKind kind) const {
    if (at < end_ && (*at == delimiter_ || *at == line_end_)) return at;
    if (kind == CsvKind::kMissing) return nullptr;
    if (at < end_ && (*at == '-' || *at == '+')) ++at;
    const std::uint8_t* whole = at;
    at = skip_digits(at);
    std::size_t digits = static_cast<std::size_t>(at - whole);
    if (at < end_ && *at == '.') {
      if (kind == CsvKind::kInteger) return nullptr;
      const std::uint8_t* fraction = ++at;
      at = skip_digits(at);
      digits += static_cast<std::size_t>(at - fraction);
    } else if (digits > kSafeDigits) {
      return nullptr;
    }
    if (digits == 0) return nullptr;
    return kind == CsvKind::kNumber && at < end_ && (*at | 0x20) == 'e' ? skip_exponent(at + 1) : at;
  }

 private:
  const std::uint8_t* skip_exponent(const std::uint8_t* at) const {
    if (at < end_ && (*at == '-' || *at == '+')) ++at;
    const std::uint8_t* digits = at;
    at = skip_digits(at);
    return at == digits ? nullptr : at;
  }

  const std::uint8_t* skip_digits(const std::uint8_t* at) const {
    while (at < end_ && is_digit(*at)) ++at;
    return at;
  }

  const std::uint8_t* end_;
  std::uint8_t delimiter_;
  std::uint8_t line_end_;
};

/// A short number: digits with at most a minus before and a point among them.
struct ShortNumber {
  std::uint64_t digits;
  /// Digits after the point.
  unsigned fraction;
  bool is_negative;
  bool has_point;
};

inline constexpr std::size_t kShortBytes = 8;

/// Whether [from, to) is a number of at most eight bytes after its sign, read without a look at one byte after the other (Lemire 2018,
/// "Quickly parsing eight-digit integers").
/// @param end behind the last byte that may be read
inline bool read_short(const std::uint8_t* from, const std::uint8_t* to, const std::uint8_t* end, ShortNumber& number) {
  constexpr std::uint64_t kEvery = 0x0101010101010101U;
  if constexpr (std::endian::native != std::endian::little) return false;
  if (static_cast<std::size_t>(end - from) <= kShortBytes) return false;
  number.is_negative = *from == '-';
  from += number.is_negative;
  const auto length = static_cast<std::size_t>(to - from);
  if (length - 1 >= kShortBytes) return false;
  std::uint64_t bytes;
  std::memcpy(&bytes, from, kShortBytes);
  const std::uint64_t points = bytes ^ kEvery * '.';
  const std::uint64_t is_point = (points - kEvery) & ~points & kEvery * 0x80;
  // The place behind the field stops the search; shifted twice, since of eight bytes it is in no word.
  const std::uint64_t is_past = std::uint64_t{0x80} << 4 * length << 4 * length;
  const unsigned whole = static_cast<unsigned>(std::countr_zero(is_point | is_past)) / 8;
  number.has_point = whole < length;
  // Without the point, and with zeros before the digits instead of other bytes behind them.
  const unsigned count = static_cast<unsigned>(length) - number.has_point;
  const std::uint64_t before = number.has_point ? (std::uint64_t{1} << 8 * whole) - 1 : ~std::uint64_t{0};
  const std::uint64_t joined = (bytes & before) | (bytes >> 8 & ~before);
  std::uint64_t digits = (joined ^ kEvery * '0') << (8 * kShortBytes - 8 * count) % 64;
  const std::uint64_t beyond_nine = ((digits & kEvery * 0x7f) + kEvery * 0x76) | digits;
  if (count == 0 || (beyond_nine & kEvery * 0x80) != 0) return false;
  digits = (digits * 2561 >> 8) & 0x00ff00ff00ff00ffU;
  digits = (digits * 6553601 >> 16) & 0x0000ffff0000ffffU;
  number.digits = digits * 42949672960001U >> 32;
  number.fraction = count - whole;
  return true;
}

#if defined(MILLRACE_X86_KERNELS)
/// Powers of ten that a float64 holds exactly, as far as a short number needs them.
inline constexpr double kShortPowers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8};

/// What `read_short` and a division make of four fields at once, for processors with AVX2: field `i` is [ends[i * stride] + 1,
/// ends[i * stride + 1]), each behind the one before it. Writes all of values[0 .. 4], or answers false: one of them is no short number.
/// @param end behind the last byte that may be read
[[gnu::always_inline]] inline bool read_four(const std::uint8_t* const* ends, std::size_t stride,
                                             const std::uint8_t* end, double* values) {
  using Words [[gnu::vector_size(32)]] = std::uint64_t;
  using Doubles [[gnu::vector_size(32)]] = double;
  constexpr std::size_t kFour = 4;
  constexpr std::uint64_t kEvery = 0x0101010101010101U;
  if (static_cast<std::size_t>(end - ends[(kFour - 1) * stride]) <= kShortBytes + 1) return false;
  Words bytes, lengths, negative;
  bool is_short = true;
  for (std::size_t i = 0; i < kFour; ++i) {
    const std::uint8_t* from = ends[i * stride] + 1;
    const bool is_negative = *from == '-';
    from += is_negative;
    const auto length = static_cast<std::size_t>(ends[i * stride + 1] - from);
    is_short &= length - 1 < kShortBytes;
    std::uint64_t word;
    std::memcpy(&word, from, kShortBytes);
    bytes[i] = word;
    lengths[i] = length;
    negative[i] = is_negative;
  }
  if (!is_short) return false;
  const Words points = bytes ^ kEvery * '.';
  const Words is_point = (points - kEvery) & ~points & kEvery * 0x80;
  const Words is_past = (Words{} + 0x80) << 4 * lengths << 4 * lengths;
  // The first of them; none where eight bytes are digits.
  const Words marks = is_point | is_past;
  const Words first = marks & -marks;
  const Words has_point = (Words)(first != is_past);
  const Words below = (first >> 7) - 1;
  const Words before = below | ~has_point;
  const Words counts = lengths + has_point;
  const Words joined = (bytes & before) | (bytes >> 8 & ~before);
  Words digits = (joined ^ kEvery * '0') << ((8 * kShortBytes - 8 * counts) & 63);
  const Words beyond_nine = ((digits & kEvery * 0x7f) + kEvery * 0x76) | digits;
  const Words bad = (beyond_nine & kEvery * 0x80) | (Words)(counts == 0);
  if ((bad[0] | bad[1] | bad[2] | bad[3]) != 0) return false;
  digits = (digits * 2561 >> 8) & 0x00ff00ff00ff00ffU;
  digits = (digits * 6553601 >> 16) & 0x0000ffff0000ffffU;
  digits = digits * 42949672960001U >> 32;
  // Digits after the point: without those before it, of which `below` has a byte each.
  const Words fractions = counts - ((below & kEvery) * kEvery >> 56);
  // Below 2^52 the bits of an integer are the last ones of a float64 that is 2^52 larger.
  constexpr double kLarge = 0x1p52;
  const Doubles numbers = (Doubles)(digits | std::bit_cast<std::uint64_t>(kLarge)) - kLarge;
  const Doubles powers = {kShortPowers[fractions[0]], kShortPowers[fractions[1]], kShortPowers[fractions[2]],
                          kShortPowers[fractions[3]]};
  const Words result = (Words)(numbers / powers) ^ negative << 63;
  std::memcpy(values, &result, sizeof(result));
  return true;
}
#endif

}  // namespace millrace
