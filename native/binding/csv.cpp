#include "csv.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/csv.h"
#include "environment.h"
#include "fields.h"
#include "job.h"

namespace millrace::binding {
namespace {

constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 31;
constexpr std::pair<const char*, CsvType> kCsvTypes[] = {
    {"int64", CsvType::kInt64}, {"float64", CsvType::kFloat64}, {"text", CsvType::kText}};

/// A typed array of at least `length` elements.
template <typename Array>
Array to_array(const Napi::Value& value, const std::string& name, napi_typedarray_type type, std::size_t length) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type ||
      value.As<Napi::TypedArray>().ElementLength() < length) {
    refuse_value(name, "a typed array of at least " + std::to_string(length) + " elements", value);
  }
  return value.As<Array>();
}

Napi::Uint8Array to_bytes(const Napi::Value& value, const std::string& name, std::size_t length) {
  return to_array<Napi::Uint8Array>(value, name, napi_uint8_array, length);
}

std::uint8_t to_delimiter(const Napi::Value& value) {
  return static_cast<std::uint8_t>(to_integer(value, "delimiter", 1, 127));
}

CsvColumn to_column(const Napi::Value& value, const std::string& name, std::size_t rows, Job::Plan& plan) {
  const Fields fields(value, name);
  CsvColumn column{to_choice(fields, "type", kCsvTypes), nullptr, nullptr, nullptr, {}};
  const Napi::Value values = fields.value("values");
  const std::string values_name = fields.full_name("values");
  switch (column.type) {
    case CsvType::kInt64:
      column.values = to_array<Napi::BigInt64Array>(values, values_name, napi_bigint64_array, rows).Data();
      break;
    case CsvType::kFloat64:
      column.values = to_array<Napi::Float64Array>(values, values_name, napi_float64_array, rows).Data();
      break;
    case CsvType::kText:
      column.offsets = to_array<Napi::Int32Array>(values, values_name, napi_int32_array, rows + 1).Data();
      break;
  }
  const Napi::Value validity = fields.value("validity");
  column.validity = to_bytes(validity, fields.full_name("validity"), (rows + 7) / 8).Data();
  plan.kept.push_back(values);
  plan.kept.push_back(validity);
  return column;
}

}  // namespace

Napi::Value scan_plain(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::uint64_t to = to_integer(info[2], "to", 0, kBytesMax);
    const std::uint64_t from = to_integer(info[1], "from", 0, to);
    const Napi::Uint8Array bytes = to_bytes(info[0], "bytes", to);
    const CsvForm form{to_delimiter(info[3]), info[4].ToBoolean(), to_integer(info[5], "recordBytesMax", 1, kBytesMax)};
    const Napi::Uint8Array kinds = to_bytes(info[6], "kinds", 1);
    auto result = to_array<Napi::Uint32Array>(info[7], "result", napi_uint32_array, 2);
    const PlainRecords found =
        scan_plain_records(bytes.Data(), from, to, form, {kinds.Data(), kinds.ElementLength()});
    result[0] = static_cast<std::uint32_t>(found.end);
    result[1] = static_cast<std::uint32_t>(found.count);
    return info.Env().Undefined();
  });
}

Napi::Value scan_plain_ahead(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::uint64_t to = to_integer(info[1], "to", 0, kBytesMax);
    const Napi::Uint8Array bytes = to_bytes(info[0], "bytes", to);
    const CsvForm form{to_delimiter(info[2]), info[3].ToBoolean(), to_integer(info[4], "recordBytesMax", 1, kBytesMax)};
    const Napi::Uint8Array given = to_bytes(info[5], "kinds", 1);
    // Copied: they may rise while the thread works.
    const std::vector<std::uint8_t> kinds(given.Data(), given.Data() + given.ElementLength());
    Job::Plan plan;
    plan.kept.push_back(info[0]);
    auto found = std::make_shared<PlainRecords>();
    const std::uint8_t* data = bytes.Data();
    plan.work = [=](Job&) { *found = scan_plain_records(data, 0, to, form, kinds); };
    plan.result = [found](Napi::Env env) {
      Napi::Object result = Napi::Object::New(env);
      result.Set("end", static_cast<double>(found->end));
      result.Set("count", static_cast<double>(found->count));
      return result;
    };
    plan.finished = [] {};
    return Job::start(info.Env(), std::move(plan), nullptr);
  });
}

Napi::Value read_csv(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Uint8Array bytes = to_bytes(info[0], "bytes", 0);
    const std::uint8_t delimiter = to_delimiter(info[1]);
    const std::uint64_t rows = to_integer(info[3], "rows", 0, kBytesMax);
    if (bytes.ByteLength() >= kBytesMax) refuse_value("bytes", "fewer than 2 GiB", info[0]);
    if (!info[2].IsArray()) refuse_value("columns", "an array", info[2]);
    const Napi::Array given = info[2].As<Napi::Array>();
    Job::Plan plan;
    auto columns = std::make_shared<std::vector<CsvColumn>>();
    for (std::uint32_t i = 0; i < given.Length(); ++i) {
      columns->push_back(to_column(given.Get(i), "columns[" + std::to_string(i) + "]", rows, plan));
    }
    if (columns->empty()) refuse("columns", "Expected `columns` to hold at least one column.");
    plan.kept.push_back(info[0]);
    auto found = std::make_shared<std::size_t>(0);
    const std::uint8_t* data = bytes.Data();
    const std::size_t size = bytes.ByteLength();
    // Where the form was not checked, it is told.
    const bool is_plain = info[4].IsBoolean();
    if (is_plain && columns->size() < 2) refuse_value("columns", "an array of at least two", info[2]);
    const CsvForm form{delimiter, info[4].ToBoolean(),
                       is_plain ? to_integer(info[5], "recordBytesMax", 1, kBytesMax) : SIZE_MAX};
    plan.work = [=](Job&) {
      *found = is_plain ? read_plain_csv_records(data, size, form, *columns, rows)
                        : read_csv_records(data, size, delimiter, *columns, rows);
    };
    plan.result = [=](Napi::Env env) -> Napi::Value {
      if (*found == kNotPlain) return env.Null();
      Napi::Object result = Napi::Object::New(env);
      Napi::Array missing = Napi::Array::New(env, columns->size());
      Napi::Array texts = Napi::Array::New(env, columns->size());
      for (std::uint32_t i = 0; i < columns->size(); ++i) {
        const CsvColumn& column = (*columns)[i];
        missing.Set(i, static_cast<double>(column.missing));
        const bool is_text = column.type == CsvType::kText;
        texts.Set(i, is_text ? Napi::Value(Napi::Buffer<std::uint8_t>::Copy(env, column.text.data(), column.text.size()))
                             : Napi::Value(env.Null()));
      }
      result.Set("rowCount", static_cast<double>(*found));
      result.Set("missing", missing);
      result.Set("texts", texts);
      return result;
    };
    plan.finished = [] {};
    return Job::start(info.Env(), std::move(plan), nullptr);
  });
}

}  // namespace millrace::binding
