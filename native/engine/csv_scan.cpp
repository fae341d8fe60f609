#include "csv.h"

#include "csv_fields.h"

namespace millrace {
namespace {

/// Goes over one record; null: it is not plain, or not whole.
class PlainRecord {
 public:
  PlainRecord(const std::uint8_t* end, const CsvForm& form, std::span<const std::uint8_t> kinds)
      : end_(end), delimiter_(form.delimiter), line_end_(form.is_cr_lf ? '\r' : '\n'), kinds_(kinds), numbers_(end, form) {}

  const std::uint8_t* skip(const std::uint8_t* at) const {
    for (std::size_t field = 0; field < kinds_.size(); ++field) {
      const auto kind = static_cast<CsvKind>(kinds_[field]);
      at = kind == CsvKind::kText ? skip_text(at) : numbers_.skip(at, kind);
      if (at == nullptr || at == end_) return nullptr;
      const std::uint8_t expected = field + 1 == kinds_.size() ? line_end_ : delimiter_;
      if (*at != expected) return nullptr;
      ++at;
    }
    if (line_end_ == '\n') return at;
    return at < end_ && *at == '\n' ? at + 1 : nullptr;
  }

  bool is_empty(const std::uint8_t* at) const { return *at == line_end_; }

  /// Of those that a block holds, how many there are before one that is not plain.
  std::size_t count(const PlainFields& fields) const {
    const bool has_line_end = fields.stride == kinds_.size() + (line_end_ == '\r' ? 1 : 0);
    std::size_t records = has_line_end ? fields.records : 0;
    for (std::size_t i = 0; i < kinds_.size(); ++i) {
      const auto kind = static_cast<CsvKind>(kinds_[i]);
      if (kind == CsvKind::kText) continue;
      for (std::size_t record = 0; record < records; ++record) {
        if (!is_number(fields.from(record, i), fields.to(record, i), kind)) records = record;
      }
    }
    return records;
  }

 private:
  bool is_number(const std::uint8_t* from, const std::uint8_t* to, CsvKind kind) const {
    ShortNumber number;
    const bool is_short = kind >= CsvKind::kInteger && read_short(from, to, end_, number);
    return is_short ? kind == CsvKind::kNumber || !number.has_point : numbers_.skip(from, kind) == to;
  }

  const std::uint8_t* skip_text(const std::uint8_t* at) const {
    for (; at < end_; ++at) {
      // No byte above the comma means anything.
      if (*at > ',') continue;
      if (*at == delimiter_ || *at == line_end_) break;
      if (*at == '"' || *at == '\r' || *at == '\n') return nullptr;
    }
    return at;
  }

  const std::uint8_t* end_;
  std::uint8_t delimiter_;
  /// The first byte of it.
  std::uint8_t line_end_;
  std::span<const std::uint8_t> kinds_;
  PlainNumbers numbers_;
};

}  // namespace

PlainRecords scan_plain_records(const std::uint8_t* bytes, std::size_t from, std::size_t to, const CsvForm& form,
                                std::span<const std::uint8_t> kinds) {
  const PlainRecord record(bytes + to, form, kinds);
  FieldEnds ends(bytes + to, form.delimiter);
  PlainRecords found{from, 0};
  while (found.end < to) {
    const std::uint8_t* start = bytes + found.end;
    // Where there is one column its fields may be empty lines.
    if (kinds.size() > 1) {
      PlainFields fields = ends.next(start, kinds.size(), form.record_bytes_max);
      fields.records = record.count(fields);
      if (fields.records > 0) {
        found.end = static_cast<std::size_t>(fields.end() - bytes);
        found.count += fields.records;
        continue;
      }
    }
    // An empty line is no record where there are several columns, and one where there is one: the caller knows.
    const std::uint8_t* past = record.is_empty(start) ? nullptr : record.skip(start);
    if (past == nullptr || static_cast<std::size_t>(past - start) > form.record_bytes_max) break;
    found.end = static_cast<std::size_t>(past - bytes);
    ++found.count;
  }
  return found;
}

}  // namespace millrace
