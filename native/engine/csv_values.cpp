#include <algorithm>
#include <bit>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "csv.h"
#include "csv_fields.h"
#include "error.h"

namespace millrace {
namespace {

/// Powers of ten that a float64 holds exactly.
constexpr double kPowers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                              1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
constexpr std::uint64_t kExactIntegerMax = std::uint64_t{1} << 53;
/// A field without its quotes; those within are still written twice.
struct Field {
  const std::uint8_t* from;
  const std::uint8_t* to;
  bool has_quotes;
};

std::string_view trimmed(const Field& field) {
  std::string_view text(reinterpret_cast<const char*>(field.from), static_cast<std::size_t>(field.to - field.from));
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

[[noreturn]] void refuse_number(std::string_view text) {
  refuse("bytes", "Expected a number but received " + std::string(text.substr(0, 40)) + ".");
}

/// As the nearest float64, ties to even; what is too large for one is an infinity.
double to_float64(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
#if defined(__cpp_lib_to_chars)
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size()) return value;
  if (error != std::errc::result_out_of_range) refuse_number(text);
#endif
  const std::string terminated(text);
  char* past = nullptr;
  const double parsed = std::strtod(terminated.c_str(), &past);
  if (terminated.empty() || *past != '\0') refuse_number(text);
  return parsed;
}

std::int64_t to_int64(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) refuse_number(text);
  return value;
}

/// @tparam kReadsFour whether four numbers are read at once
template <bool kReadsFour>
class Reader {
 public:
  Reader(const std::uint8_t* bytes, std::size_t size, const CsvForm& form, std::span<CsvColumn> columns)
      : at_(bytes),
        end_(bytes + size),
        delimiter_(form.delimiter),
        columns_(columns),
        ends_(end_, form.delimiter),
        numbers_(end_, form) {}

  /// As `read`, but of plain records only; `kNotPlain`: one of them is not.
  std::size_t read_plain(std::size_t rows, const CsvForm& form) {
    is_plain_only_ = true;
    std::size_t row = 0;
    while (at_ < end_ && row < rows) {
      PlainFields fields = ends_.next(at_, columns_.size(), form.record_bytes_max);
      if (fields.records == 0 || fields.stride != columns_.size() + (form.is_cr_lf ? 1 : 0)) return kNotPlain;
      read_block(fields, rows, row);
      if (!is_plain_) return kNotPlain;
    }
    return at_ < end_ ? row + 1 : row;
  }

  std::size_t read(std::size_t rows) {
    std::size_t row = 0;
    while (at_ < end_ && row < rows) {
      if (is_line_end() && columns_.size() > 1) {
        skip_line_end();
        continue;
      }
      PlainFields fields = ends_.next(at_, columns_.size(), SIZE_MAX);
      if (fields.records == 0) {
        read_record(row++);
        continue;
      }
      read_block(fields, rows, row);
    }
    while (at_ < end_ && is_line_end() && columns_.size() > 1) skip_line_end();
    // What is left would be another record.
    return at_ < end_ ? row + 1 : row;
  }

 private:
  void read_block(PlainFields& fields, std::size_t rows, std::size_t& row) {
    fields.records = std::min(fields.records, rows - row);
    for (std::size_t i = 0; i < columns_.size(); ++i) read_column(fields, i, row);
    row += fields.records;
    at_ = fields.end();
  }

  /// A column of many records goes faster than a record of many columns: each field is read as the one before it.
  void read_column(const PlainFields& fields, std::size_t place, std::size_t first_row) {
    CsvColumn& column = columns_[place];
    mark_present(column.validity, first_row, fields.records);
    if (column.type == CsvType::kText) {
      read_texts(fields, place, first_row);
    } else if (column.type == CsvType::kInt64) {
      read_numbers(fields, place, first_row, static_cast<std::int64_t*>(column.values) + first_row);
    } else {
      read_numbers(fields, place, first_row, static_cast<double*>(column.values) + first_row);
    }
  }

  template <typename Value>
  void read_numbers(const PlainFields& fields, std::size_t place, std::size_t first_row, Value* values) {
    constexpr CsvKind kind = std::is_integral_v<Value> ? CsvKind::kInteger : CsvKind::kNumber;
    for (std::size_t i = 0; i < fields.records; ++i) {
#if defined(MILLRACE_X86_KERNELS)
      if constexpr (kReadsFour && !std::is_integral_v<Value>) {
        // Where one of four is none of these, the others go by themselves.
        while (i % 4 == 0 && i + 4 <= fields.records && read_four(fields.at(i, place), fields.stride, end_, values + i)) i += 4;
        if (i == fields.records) return;
      }
#endif
      const std::uint8_t* from = fields.from(i, place);
      const std::uint8_t* to = fields.to(i, place);
      ShortNumber number;
      if (read_short(from, to, end_, number) && !(std::is_integral_v<Value> && number.has_point)) {
        values[i] = to_value<Value>(number);
      } else if (is_plain_only_ && numbers_.skip(from, kind) != to) {
        is_plain_ = false;
        return;
      } else {
        store(columns_[place], first_row + i, {from, to, false});
      }
    }
  }

  void read_texts(const PlainFields& fields, std::size_t place, std::size_t first_row) {
    CsvColumn& column = columns_[place];
    std::int32_t* offsets = column.offsets + first_row + 1;
    // No column has more bytes than all of them.
    std::uint8_t* const start = column.text.reserve(static_cast<std::size_t>(fields.end() - fields.from(0, 0)) + kShortBytes);
    std::uint8_t* at = start;
    const auto before = static_cast<std::int32_t>(column.text.size());
    for (std::size_t i = 0; i < fields.records; ++i) {
      const std::uint8_t* from = fields.from(i, place);
      const auto length = static_cast<std::size_t>(fields.to(i, place) - from);
      if (length <= kShortBytes && static_cast<std::size_t>(end_ - from) >= kShortBytes) {
        // A copy of a fixed size is one instruction; what is too much the next text overwrites.
        std::memcpy(at, from, kShortBytes);
      } else {
        std::memcpy(at, from, length);
      }
      at += length;
      offsets[i] = before + static_cast<std::int32_t>(at - start);
      if (length == 0) mark_missing(column, first_row + i);
    }
    column.text.extend(static_cast<std::size_t>(at - start));
  }

  static void mark_present(std::uint8_t* validity, std::size_t first, std::size_t count) {
    for (std::size_t row = first; row < first + count;) {
      if (row % 8 == 0 && row + 8 <= first + count) {
        validity[row / 8] = 0xff;
        row += 8;
      } else {
        validity[row / 8] |= static_cast<std::uint8_t>(1U << row % 8);
        ++row;
      }
    }
  }

  static void mark_missing(CsvColumn& column, std::size_t row) {
    column.validity[row / 8] &= static_cast<std::uint8_t>(~(1U << row % 8));
    ++column.missing;
  }

  void read_record(std::size_t row) {
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      mark_present(columns_[i].validity, row, 1);
      store(columns_[i], row, take());
      const bool is_last = i + 1 == columns_.size();
      if (is_last ? at_ < end_ && !is_line_end() : at_ == end_ || *at_ != delimiter_) {
        refuse("bytes", "Expected records of " + std::to_string(columns_.size()) + " fields.");
      }
      if (!is_last) ++at_;
    }
    if (at_ < end_) skip_line_end();
  }

  bool is_line_end() const { return *at_ == '\n' || *at_ == '\r'; }

  void skip_line_end() {
    if (*at_++ == '\r' && at_ < end_ && *at_ == '\n') ++at_;
  }

  bool is_field_end(const std::uint8_t* at) const {
    return at == end_ || *at == delimiter_ || *at == '\n' || *at == '\r';
  }

  /// Takes the field that begins here.
  Field take() {
    if (at_ < end_ && *at_ == '"') return take_quoted();
    const std::uint8_t* from = at_;
    while (!is_field_end(at_)) ++at_;
    return {from, at_, false};
  }

  Field take_quoted() {
    const std::uint8_t* from = ++at_;
    bool has_quotes = false;
    for (; at_ < end_; ++at_) {
      if (*at_ != '"') continue;
      if (at_ + 1 == end_ || at_[1] != '"') return {from, at_++, has_quotes};
      has_quotes = true;
      ++at_;
    }
    refuse("bytes", "Expected a closing quote.");
  }

  /// An empty field is missing.
  void store(CsvColumn& column, std::size_t row, const Field& field) {
    if (field.from == field.to) {
      if (column.type != CsvType::kText) std::memset(static_cast<double*>(column.values) + row, 0, sizeof(double));
      mark_missing(column, row);
    } else if (column.type == CsvType::kText) {
      store_text(column, field);
    } else {
      store_number(column, row, field);
    }
    if (column.type == CsvType::kText) column.offsets[row + 1] = static_cast<std::int32_t>(column.text.size());
  }

  static void store_text(CsvColumn& column, const Field& field) {
    if (!field.has_quotes) {
      column.text.append(field.from, static_cast<std::size_t>(field.to - field.from));
      return;
    }
    for (const std::uint8_t* at = field.from; at < field.to; ++at) {
      column.text.append(at, 1);
      if (*at == '"') ++at;
    }
  }

  static void store_number(CsvColumn& column, std::size_t row, const Field& field) {
    ShortNumber number;
    const bool is_integer = column.type == CsvType::kInt64;
    const bool is_simple = read_digits(field, is_integer, number);
    if (is_integer) {
      static_cast<std::int64_t*>(column.values)[row] =
          is_simple ? to_value<std::int64_t>(number) : to_int64(trimmed(field));
    } else {
      static_cast<double*>(column.values)[row] = is_simple ? to_value<double>(number) : to_float64(trimmed(field));
    }
  }

  /// Of a float64 the quotient: that of two numbers that a float64 holds is the nearest one (Clinger 1990, section 4).
  template <typename Value>
  static Value to_value(const ShortNumber& number) {
    // Without a branch on the sign, which nothing predicts.
    const auto digits = static_cast<std::int64_t>(number.digits);
    const std::int64_t sign = number.is_negative;
    if constexpr (std::is_integral_v<Value>) {
      return (digits ^ -sign) + sign;
    } else {
      const double value = static_cast<double>(digits) / kPowers[number.fraction];
      return std::bit_cast<double>(std::bit_cast<std::int64_t>(value) ^ static_cast<std::int64_t>(sign << 63));
    }
  }

  /// Whether the field is digits with at most a minus and a fraction, few enough for `to_value`.
  static bool read_digits(const Field& field, bool is_integer, ShortNumber& number) {
    const std::uint8_t* at = field.from;
    number = {0, 0, *at == '-', false};
    at += number.is_negative;
    const std::uint8_t* whole = at;
    for (; at < field.to && is_digit(*at); ++at) number.digits = number.digits * 10 + (*at - '0');
    auto count = static_cast<std::size_t>(at - whole);
    if (at < field.to && *at == '.' && !is_integer) {
      const std::uint8_t* fraction = ++at;
      for (; at < field.to && is_digit(*at); ++at) number.digits = number.digits * 10 + (*at - '0');
      number.fraction = static_cast<unsigned>(at - fraction);
      count += number.fraction;
    }
    return at == field.to && count > 0 && count <= kSafeDigits && (is_integer || number.digits <= kExactIntegerMax);
  }

  const std::uint8_t* at_;
  const std::uint8_t* end_;
  std::uint8_t delimiter_;
  std::span<CsvColumn> columns_;
  FieldEnds ends_;
  PlainNumbers numbers_;
  bool is_plain_only_ = false;
  bool is_plain_ = true;
};

#if defined(MILLRACE_X86_KERNELS)
[[gnu::target("avx2"), gnu::flatten]] std::size_t read_plain_avx2(Reader<true>& reader, std::size_t rows, const CsvForm& form) {
  return reader.read_plain(rows, form);
}
#endif

}  // namespace

std::size_t read_csv_records(const std::uint8_t* bytes, std::size_t size, std::uint8_t delimiter,
                             std::span<CsvColumn> columns, std::size_t rows) {
  return Reader<false>(bytes, size, {delimiter, false, SIZE_MAX}, columns).read(rows);
}

std::size_t read_plain_csv_records(const std::uint8_t* bytes, std::size_t size, const CsvForm& form,
                                   std::span<CsvColumn> columns, std::size_t rows, InstructionSet set) {
#if defined(MILLRACE_X86_KERNELS)
  if (set != InstructionSet::kPortable) {
    Reader<true> reader(bytes, size, form, columns);
    return read_plain_avx2(reader, rows, form);
  }
#endif
  (void)set;
  return Reader<false>(bytes, size, form, columns).read_plain(rows, form);
}

}  // namespace millrace
