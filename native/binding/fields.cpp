#include "fields.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

namespace millrace::binding {
namespace {

std::string number_text(double number) {
  if (std::isfinite(number) && number == std::floor(number) && std::abs(number) < 1e15) {
    return std::to_string(static_cast<long long>(number));
  }
  return std::to_string(number);
}

// Letters to add, drop or change (Levenshtein 1966).
std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string quoted(const std::string& text) {
  constexpr std::size_t kShown = 80;
  if (text.size() <= kShown) return "\"" + text + "\"";
  // Not within a character of several bytes.
  std::size_t end = kShown;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return "\"" + text.substr(0, end) + "...\"";
}

void refuse_value(const std::string& name, const std::string& expected, const Napi::Value& value) {
  refuse(name, "Expected `" + name + "` to be " + expected + " but received " + received(value) + ".");
}

std::string received(const Napi::Value& value) {
  if (value.IsEmpty() || value.IsUndefined()) return "undefined";
  if (value.IsNull()) return "null";
  if (value.IsNumber()) return number_text(value.As<Napi::Number>().DoubleValue());
  if (value.IsString()) return quoted(value.As<Napi::String>().Utf8Value());
  if (value.IsSymbol()) return "a symbol";
  if (value.IsBigInt()) return "a bigint";
  if (value.IsBoolean()) return value.As<Napi::Boolean>().Value() ? "true" : "false";
  if (value.IsTypedArray()) {
    return "a typed array of " + std::to_string(value.As<Napi::TypedArray>().ElementLength()) +
           " elements of another type or length";
  }
  if (value.IsArray()) return "an array";
  if (value.IsFunction()) return "a function";
  return "an object";
}

Fields::Fields(const Napi::Value& value, std::string path, const char* argument) : path_(std::move(path)) {
  if (!value.IsObject() || value.IsArray() || value.IsTypedArray() || value.IsFunction()) {
    refuse_value(path_.empty() ? argument : path_, "an object", value);
  }
  object_ = value.As<Napi::Object>();
}

std::string Fields::full_name(const char* name) const { return path_.empty() ? name : path_ + "." + name; }

Napi::Value Fields::value(const char* name) const { return object_.Get(name); }

bool Fields::has(const char* name) const { return !value(name).IsUndefined(); }

void Fields::expect_only(std::initializer_list<const char*> names) const {
  const Napi::Array keys = object_.GetPropertyNames();
  for (std::uint32_t index = 0; index < keys.Length(); ++index) {
    const std::string key = keys.Get(index).As<Napi::String>().Utf8Value();
    if (std::find(names.begin(), names.end(), key) != names.end()) continue;
    std::string list;
    const char* nearest = "";
    std::size_t least = 3;  // names further off are no misspellings
    for (const char* name : names) {
      list += (list.empty() ? "" : ", ") + std::string(name);
      if (key.size() > 100 || distance(key, name) >= least) continue;
      nearest = name;
      least = distance(key, name);
    }
    const std::string full = full_name(key.c_str());
    refuse(full, "There is no field `" + full + "`" +
                     (*nearest == '\0' ? "; expected one of " + list : "; did you mean `" + std::string(nearest) + "`?") +
                     (*nearest == '\0' ? "." : ""));
  }
}

double Fields::number(const char* name) const {
  const Napi::Value field = value(name);
  if (!field.IsNumber() || !std::isfinite(field.As<Napi::Number>().DoubleValue())) {
    refuse_value(full_name(name), "a finite number", field);
  }
  const double number = field.As<Napi::Number>().DoubleValue();
  // The engine keeps its numbers as float32, where a larger one would be infinite.
  if (std::abs(number) > std::numeric_limits<float>::max()) {
    refuse_value(full_name(name), "a finite number of float32, at most 3.4e38,", field);
  }
  return number;
}

std::uint64_t Fields::integer(const char* name, std::uint64_t lowest, std::uint64_t highest) const {
  return to_integer(value(name), full_name(name), lowest, highest);
}

bool Fields::boolean(const char* name) const {
  const Napi::Value field = value(name);
  if (!field.IsBoolean()) refuse_value(full_name(name), "true or false", field);
  return field.As<Napi::Boolean>().Value();
}

std::string Fields::text(const char* name) const {
  const Napi::Value field = value(name);
  if (!field.IsString()) refuse_value(full_name(name), "a string", field);
  return field.As<Napi::String>().Utf8Value();
}

std::uint64_t to_integer(const Napi::Value& value, const std::string& name, std::uint64_t lowest,
                         std::uint64_t highest) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (!(number >= static_cast<double>(lowest) && number <= static_cast<double>(highest)) ||
      number != std::floor(number)) {
    refuse_value(name, "an integer from " + std::to_string(lowest) + " to " + std::to_string(highest), value);
  }
  return static_cast<std::uint64_t>(number);
}

Napi::Float32Array to_floats(const Napi::Value& value, const std::string& name, std::size_t size) {
  const bool floats = value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_float32_array;
  if (!floats || value.As<Napi::TypedArray>().ElementLength() != size) {
    refuse_value(name, "a Float32Array of " + std::to_string(size) + " elements", value);
  }
  return value.As<Napi::Float32Array>();
}

}  // namespace millrace::binding
