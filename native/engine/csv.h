#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "instruction_set.h"

namespace millrace {

/// What the fields of a column are, the least first: a column that holds numbers may hold integers and missing values too.
enum class CsvKind : std::uint8_t { kMissing = 0, kInteger = 1, kNumber = 2, kText = 3 };

struct PlainRecords {
  /// Where the first record begins that is not plain, or not whole.
  std::size_t end;
  std::size_t count;
};

/// How records are written: lines end in CR and LF, or in LF alone.
struct CsvForm {
  std::uint8_t delimiter;
  bool is_cr_lf;
  std::size_t record_bytes_max;
};

/// Goes over plain records of bytes[from .. to], at the first of which `from` is: no quotes, whole lines, one field for each of
/// `kinds`, none of them of a kind above its column's. Integers are of at most 18 digits; other spellings of numbers than digits
/// with a sign, a fraction and an exponent are left to the caller, as is a longer record than there may be.
PlainRecords scan_plain_records(const std::uint8_t* bytes, std::size_t from, std::size_t to, const CsvForm& form,
                                std::span<const std::uint8_t> kinds);

enum class CsvType : std::uint8_t { kInt64, kFloat64, kText };

/// Bytes that are added at the end.
class CsvText {
 public:
  const std::uint8_t* data() const { return bytes_.data(); }
  std::size_t size() const { return size_; }

  void append(const std::uint8_t* bytes, std::size_t count) {
    std::memcpy(reserve(count), bytes, count);
    extend(count);
  }

  /// Room for so many bytes at the end, which count once `extend` says so.
  std::uint8_t* reserve(std::size_t count) {
    if (bytes_.size() < size_ + count) bytes_.resize(2 * (size_ + count) + kSizeMin);
    return bytes_.data() + size_;
  }
  void extend(std::size_t count) { size_ += count; }

 private:
  static constexpr std::size_t kSizeMin = 4096;

  /// Longer than what is used, so that adding few bytes costs little.
  std::vector<std::uint8_t> bytes_;
  std::size_t size_ = 0;
};

/// Where the values of a column go. Of those that are missing, the value is 0 and the bit of `validity` too.
struct CsvColumn {
  CsvType type;
  /// [rows]; of texts null.
  void* values;
  /// [rows + 1], the first of them 0; of texts only.
  std::int32_t* offsets;
  /// One bit a row, least significant first; all 0 before.
  std::uint8_t* validity;
  /// UTF-8 of all texts.
  CsvText text;
  std::size_t missing = 0;
};

/// Reads CSV (RFC 4180; lines may end in LF, CR or both, the last in none) whose form was checked: whole records, every field
/// of which can be of its column's type. A line that is empty counts where there is one column.
/// Answers how many records there are; reading ends after `rows` of them. Refuses a number that is none, which a checked file
/// does not have.
std::size_t read_csv_records(const std::uint8_t* bytes, std::size_t size, std::uint8_t delimiter,
                             std::span<CsvColumn> columns, std::size_t rows);

inline constexpr std::size_t kNotPlain = static_cast<std::size_t>(-1);

/// As `read_csv_records`, of records whose form was not checked, in several columns. `kNotPlain`: one of them is not as
/// `scan_plain_records` has them, or not of its columns' types.
std::size_t read_plain_csv_records(const std::uint8_t* bytes, std::size_t size, const CsvForm& form,
                                   std::span<CsvColumn> columns, std::size_t rows,
                                   InstructionSet set = instruction_set());

}  // namespace millrace
