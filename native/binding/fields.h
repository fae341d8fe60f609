#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>

#include "engine/error.h"

namespace millrace::binding {

/// A text in a message, cut where it is long.
std::string quoted(const std::string& text);

/// How a value is named in "... but received X".
std::string received(const Napi::Value&);

/// Reads one plain object field by field; refuses a field of the wrong type by its full name.
class Fields {
 public:
  /// `path` goes before the names of fields, for example `layers[0]`; empty for an argument itself, whose own name is
  /// then `argument`.
  Fields(const Napi::Value& value, std::string path, const char* argument = "");

  /// Whether an optional field is given: not undefined.
  bool has(const char* name) const;
  /// A finite number, also as float32.
  double number(const char* name) const;
  std::uint64_t integer(const char* name, std::uint64_t lowest, std::uint64_t highest) const;
  bool boolean(const char* name) const;
  std::string text(const char* name) const;
  Napi::Value value(const char* name) const;
  /// Refuses a field that is not in the list, so that a misspelt one is not passed over.
  void expect_only(std::initializer_list<const char*> names) const;
  std::string full_name(const char* name) const;

 private:
  Napi::Object object_;
  std::string path_;
};

/// The largest integer a JavaScript number holds exactly.
inline constexpr std::uint64_t kSafeInteger = (std::uint64_t{1} << 53) - 1;

std::uint64_t to_integer(const Napi::Value&, const std::string& name, std::uint64_t lowest, std::uint64_t highest);
/// A Float32Array of exactly `size` numbers; a detached one has none.
Napi::Float32Array to_floats(const Napi::Value&, const std::string& name, std::size_t size);

[[noreturn]] void refuse_value(const std::string& name, const std::string& expected, const Napi::Value& value);

/// The value that belongs to a text; refuses any other text with the list of what is allowed.
template <typename Value, std::size_t count>
Value to_choice(const std::string& text, const std::string& full_name,
                const std::pair<const char*, Value> (&choices)[count]) {
  std::string names;
  for (const auto& [choice, value] : choices) {
    if (text == choice) return value;
    names += (names.empty() ? "" : ", ") + std::string(choice);
  }
  refuse(full_name, "Expected `" + full_name + "` to be one of " + names + " but received " + quoted(text) + ".");
}

template <typename Value, std::size_t count>
Value to_choice(const Fields& fields, const char* name, const std::pair<const char*, Value> (&choices)[count]) {
  return to_choice(fields.text(name), fields.full_name(name), choices);
}

}  // namespace millrace::binding
