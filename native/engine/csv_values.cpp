#include <charconv>
#include <cstdlib>
#include <string>
#include <string_view>

#include "csv.h"
#include "error.h"

namespace millrace {
namespace {

/// Powers of ten that a float64 holds exactly.
constexpr double kPowers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                              1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
constexpr std::uint64_t kExactIntegerMax = std::uint64_t{1} << 53;
constexpr std::size_t kSafeDigits = 18;

bool is_digit(std::uint8_t byte) { return static_cast<std::uint8_t>(byte - '0') <= 9; }

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

class Reader {
 public:
  Reader(const std::uint8_t* bytes, std::size_t size, std::uint8_t delimiter, std::span<CsvColumn> columns)
      : at_(bytes), end_(bytes + size), delimiter_(delimiter), columns_(columns) {}

  std::size_t read(std::size_t rows) {
    std::size_t row = 0;
    while (at_ < end_ && row < rows) {
      if (is_line_end() && columns_.size() > 1) {
        skip_line_end();
        continue;
      }
      read_record(row++);
    }
    while (at_ < end_ && is_line_end() && columns_.size() > 1) skip_line_end();
    // What is left would be another record.
    return at_ < end_ ? row + 1 : row;
  }

 private:
  void read_record(std::size_t row) {
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      CsvColumn& column = columns_[i];
      const bool is_missing = column.type == CsvType::kText ? !read_text(column) : !read_number(column, row);
      if (column.type == CsvType::kText) column.offsets[row + 1] = static_cast<std::int32_t>(column.text.size());
      if (is_missing) {
        ++column.missing;
      } else {
        column.validity[row >> 3] |= static_cast<std::uint8_t>(1U << (row & 7));
      }
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

  /// Whether there is a text: an empty one is missing.
  bool read_text(CsvColumn& column) {
    const Field field = take();
    if (field.has_quotes) {
      for (const std::uint8_t* at = field.from; at < field.to; ++at) {
        column.text.push_back(*at);
        if (*at == '"') ++at;
      }
    } else {
      column.text.insert(column.text.end(), field.from, field.to);
    }
    return field.from < field.to;
  }

  bool read_number(CsvColumn& column, std::size_t row) {
    if (read_simple_number(column, row)) return true;
    const Field field = take();
    if (field.from == field.to) return false;
    const std::string_view text = trimmed(field);
    if (column.type == CsvType::kInt64) {
      static_cast<std::int64_t*>(column.values)[row] = to_int64(text);
    } else {
      static_cast<double*>(column.values)[row] = to_float64(text);
    }
    return true;
  }

  /// Takes digits with at most a minus and a fraction, few enough that one division gives the nearest float64 (Clinger 1990,
  /// section 4); else takes nothing.
  bool read_simple_number(CsvColumn& column, std::size_t row) {
    const std::uint8_t* at = at_;
    const bool is_negative = at < end_ && *at == '-';
    if (is_negative) ++at;
    const std::uint8_t* whole = at;
    std::uint64_t digits = 0;
    while (at < end_ && is_digit(*at)) digits = digits * 10 + (*at++ - '0');
    std::size_t count = static_cast<std::size_t>(at - whole);
    std::size_t fraction = 0;
    if (at < end_ && *at == '.' && column.type == CsvType::kFloat64) {
      const std::uint8_t* start = ++at;
      while (at < end_ && is_digit(*at)) digits = digits * 10 + (*at++ - '0');
      fraction = static_cast<std::size_t>(at - start);
      count += fraction;
    }
    if (count == 0 || count > kSafeDigits || !is_field_end(at)) return false;
    if (column.type == CsvType::kInt64) {
      const auto value = static_cast<std::int64_t>(digits);
      static_cast<std::int64_t*>(column.values)[row] = is_negative ? -value : value;
    } else {
      if (digits > kExactIntegerMax) return false;
      const double value = static_cast<double>(digits) / kPowers[fraction];
      static_cast<double*>(column.values)[row] = is_negative ? -value : value;
    }
    at_ = at;
    return true;
  }

  const std::uint8_t* at_;
  const std::uint8_t* end_;
  std::uint8_t delimiter_;
  std::span<CsvColumn> columns_;
};

}  // namespace

std::size_t read_csv_records(const std::uint8_t* bytes, std::size_t size, std::uint8_t delimiter,
                             std::span<CsvColumn> columns, std::size_t rows) {
  return Reader(bytes, size, delimiter, columns).read(rows);
}

}  // namespace millrace
