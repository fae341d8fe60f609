#include "table.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/moments.h"
#include "engine/table_features.h"
#include "environment.h"
#include "fields.h"
#include "job.h"

namespace millrace::binding {
namespace {

constexpr std::uint64_t kFeaturesMax = std::uint64_t{1} << 31;
constexpr std::pair<napi_typedarray_type, Datatype> kTypedArrays[] = {
    {napi_int8_array, Datatype::kInt8},       {napi_int16_array, Datatype::kInt16},
    {napi_int32_array, Datatype::kInt32},     {napi_bigint64_array, Datatype::kInt64},
    {napi_uint8_array, Datatype::kUint8},     {napi_uint16_array, Datatype::kUint16},
    {napi_uint32_array, Datatype::kUint32},   {napi_biguint64_array, Datatype::kUint64},
    {napi_float32_array, Datatype::kFloat32}, {napi_float64_array, Datatype::kFloat64}};

template <typename Array>
Array to_array(const Napi::Value& value, const std::string& name, napi_typedarray_type type, const char* expected) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) {
    refuse_value(name, expected, value);
  }
  return value.As<Array>();
}

Napi::Uint8Array to_bytes(const Napi::Value& value, const std::string& name) {
  return to_array<Napi::Uint8Array>(value, name, napi_uint8_array, "a Uint8Array");
}

Napi::Int32Array to_int32(const Napi::Value& value, const std::string& name) {
  return to_array<Napi::Int32Array>(value, name, napi_int32_array, "an Int32Array");
}

const std::uint8_t* data_of(const Napi::TypedArray& array) {
  return static_cast<const std::uint8_t*>(array.ArrayBuffer().Data()) + array.ByteOffset();
}

/// Null, or bits for so many rows.
Validity to_validity(const Fields& fields, std::size_t rows) {
  const Napi::Value value = fields.value("validity");
  if (value.IsNull()) return nullptr;
  const Napi::Uint8Array bits = to_bytes(value, fields.full_name("validity"));
  if (bits.ElementLength() < (rows + 7) / 8) {
    refuse_value(fields.full_name("validity"), "a bit for each of " + std::to_string(rows) + " rows", value);
  }
  return bits.Data();
}

/// Offsets that do not fall, within the bytes. `rows`: how many texts there are.
void expect_texts(const std::string& name, const Napi::Int32Array& offsets, std::size_t size) {
  const std::int32_t* first = offsets.Data();
  const std::size_t length = offsets.ElementLength();
  bool holds = length > 0 && first[0] >= 0 && static_cast<std::size_t>(first[length - 1]) <= size;
  // Without an end at the first that falls, several are looked at in one instruction.
  for (std::size_t i = 1; i < length; ++i) holds &= first[i] >= first[i - 1];
  if (!holds) {
    refuse(name, "Expected `" + name + "` to be ascending, from 0 to the number of bytes.");
  }
}

TextColumn to_texts(const Fields& fields, std::size_t& rows) {
  const Napi::Uint8Array bytes = to_bytes(fields.value("bytes"), fields.full_name("bytes"));
  const Napi::Int32Array offsets = to_int32(fields.value("offsets"), fields.full_name("offsets"));
  expect_texts(fields.full_name("offsets"), offsets, bytes.ByteLength());
  rows = offsets.ElementLength() - 1;
  return {bytes.Data(), bytes.ByteLength(), offsets.Data(), to_validity(fields, rows)};
}

void expect_rows(const Napi::Int32Array& rows, std::size_t length) {
  const std::int32_t* first = rows.Data();
  bool holds = true;
  // A negative one is beyond all lengths.
  for (std::size_t i = 0; i < rows.ElementLength(); ++i) holds &= static_cast<std::uint32_t>(first[i]) < length;
  if (!holds) refuse("rows", "Expected `rows` to be from 0 to " + std::to_string(length) + ", the rows of each column.");
}

/// What the thread works on.
struct FeatureWork {
  std::vector<NumberFeature> numbers;
  std::vector<CategoryFeature> categories;
  /// By number of column, what it points to.
  std::vector<std::unique_ptr<double>> fillings;
  std::vector<std::unique_ptr<TextIndex>> indices;
  std::size_t row_width;
  std::size_t length = SIZE_MAX;

  std::size_t to_offset(const Fields& fields, std::size_t features) const {
    if (features > row_width) {
      refuse(fields.full_name("offset"), "Expected at most " + std::to_string(row_width) + " features.");
    }
    return fields.integer("offset", 0, row_width - features);
  }
  void add_numbers(const Fields& fields);
  void add_categories(const Fields& fields);
};

void FeatureWork::add_numbers(const Fields& fields) {
  const Napi::Value given = fields.value("values");
  if (!given.IsTypedArray()) refuse_value(fields.full_name("values"), "a typed array", given);
  const auto values = given.As<Napi::TypedArray>();
  const auto* type = std::find_if(std::begin(kTypedArrays), std::end(kTypedArrays),
                                  [&](const auto& known) { return known.first == values.TypedArrayType(); });
  if (type == std::end(kTypedArrays)) refuse_value(fields.full_name("values"), "a typed array of numbers", given);
  const Napi::Value filling = fields.value("filling");
  fillings.push_back(filling.IsNull() ? nullptr : std::make_unique<double>(filling.ToNumber().DoubleValue()));
  const auto steps = to_array<Napi::Float64Array>(fields.value("steps"), fields.full_name("steps"), napi_float64_array,
                                                  "a Float64Array");
  const std::size_t rows = values.ElementLength();
  length = std::min(length, rows);
  NumberFeature column{type->second, data_of(values), to_validity(fields, rows), fillings.back().get(), {},
                       to_offset(fields, 1)};
  for (std::size_t i = 0; i + 1 < steps.ElementLength(); i += 2) column.steps.push_back({steps[i], steps[i + 1]});
  numbers.push_back(std::move(column));
}

void FeatureWork::add_categories(const Fields& fields) {
  std::size_t rows = 0;
  const TextColumn texts = to_texts(fields, rows);
  length = std::min(length, rows);
  const Napi::Uint8Array bytes = to_bytes(fields.value("categoryBytes"), fields.full_name("categoryBytes"));
  const Napi::Int32Array offsets = to_int32(fields.value("categoryOffsets"), fields.full_name("categoryOffsets"));
  expect_texts(fields.full_name("categoryOffsets"), offsets, bytes.ByteLength());
  auto index = std::make_unique<TextIndex>(bytes.Data() + bytes.ByteLength());
  for (std::size_t i = 0; i + 1 < offsets.ElementLength(); ++i) {
    index->add(bytes.Data() + offsets[i], static_cast<std::size_t>(offsets[i + 1] - offsets[i]));
  }
  const bool has_unseen = fields.boolean("hasUnseen");
  categories.push_back({texts, index.get(), has_unseen, to_offset(fields, index->size() + (has_unseen ? 1 : 0))});
  indices.push_back(std::move(index));
}

}  // namespace

Napi::Value write_table_features(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    if (!info[0].IsArray()) refuse_value("columns", "an array", info[0]);
    const auto columns = info[0].As<Napi::Array>();
    const Napi::Int32Array rows = to_int32(info[1], "rows");
    auto work = std::make_shared<FeatureWork>();
    work->row_width = to_integer(info[3], "rowWidth", 1, kFeaturesMax);
    for (std::uint32_t i = 0; i < columns.Length(); ++i) {
      const Fields fields(columns.Get(i), "columns[" + std::to_string(i) + "]");
      const bool is_numbers = fields.value("values").IsTypedArray();
      is_numbers ? work->add_numbers(fields) : work->add_categories(fields);
    }
    expect_rows(rows, work->length);
    float* target = nullptr;
    if (!info[2].IsNull()) {
      target = to_floats(info[2], "target", rows.ElementLength() * work->row_width).Data();
    }
    Job::Plan plan;
    // The arrays within it, too.
    plan.kept = {info[0], info[1], info[2]};
    const std::span<const std::int32_t> indices(rows.Data(), rows.ElementLength());
    auto written = std::make_shared<bool>(false);
    plan.work = [=](Job&) {
      *written = write_features(work->numbers, work->categories, indices, target, work->row_width);
    };
    plan.result = [written](Napi::Env env) { return Napi::Boolean::New(env, *written); };
    plan.finished = [] {};
    return Job::start(info.Env(), std::move(plan), nullptr);
  });
}

Napi::Value count_column_texts(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    std::size_t length = 0;
    const TextColumn texts = to_texts(Fields(info[0], "", "texts"), length);
    const Napi::Int32Array rows = to_int32(info[1], "rows");
    expect_rows(rows, length);
    const std::vector<TextCount> counts = count_texts(texts, {rows.Data(), rows.ElementLength()});
    auto result = Napi::Int32Array::New(info.Env(), 2 * counts.size());
    for (std::size_t i = 0; i < counts.size(); ++i) {
      result[2 * i] = counts[i].first_row;
      result[2 * i + 1] = static_cast<std::int32_t>(counts[i].count);
    }
    return result;
  });
}

Napi::Value add_column_moments(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto to_doubles = [&](std::size_t i, const char* name) {
      return to_array<Napi::Float64Array>(info[i], name, napi_float64_array, "a Float64Array");
    };
    const Napi::Float64Array values = to_doubles(0, "values");
    Napi::Float64Array state = to_doubles(1, "moments");
    constexpr std::size_t kNumbers = sizeof(Moments) / sizeof(double);
    if (state.ElementLength() != kNumbers) {
      refuse_value("moments", "a Float64Array of " + std::to_string(kNumbers) + " numbers", info[1]);
    }
    Moments moments;
    std::memcpy(&moments, state.Data(), sizeof(Moments));
    add_moments({values.Data(), values.ElementLength()}, moments);
    std::memcpy(state.Data(), &moments, sizeof(Moments));
    return info.Env().Undefined();
  });
}

}  // namespace millrace::binding
