#include "images.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "engine/images/decode_jpeg.h"
#include "engine/images/resample_pixels.h"
#include "environment.h"
#include "fields.h"

namespace millrace::binding {
namespace {

using Pixels = std::vector<std::uint8_t>;

constexpr std::pair<const char*, ImageFit> kFits[] = {{"exact", ImageFit::kExact},
                                                      {"fill", ImageFit::kFill},
                                                      {"cover", ImageFit::kCover},
                                                      {"contain", ImageFit::kContain},
                                                      {"crop", ImageFit::kCrop}};
constexpr std::pair<const char*, ImageFilter> kFilters[] = {{"nearest", ImageFilter::kNearest},
                                                            {"bilinear", ImageFilter::kBilinear},
                                                            {"bicubic", ImageFilter::kBicubic},
                                                            {"lanczos", ImageFilter::kLanczos}};
constexpr std::uint64_t kSideMax = (std::uint64_t{1} << 31) - 1;
// Of what is wanted: at most 3 GiB are made for it.
constexpr std::uint64_t kWantedSideMax = std::uint64_t{1} << 15;

/// Queues a worker, which deletes itself when it has answered.
template <typename Worker>
Napi::Promise start(std::unique_ptr<Worker> worker) {
  const Napi::Promise promise = worker->promise();
  worker->Queue();
  worker.release();
  return promise;
}

bool is_bytes(const Napi::Value& value) {
  return value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array;
}

ImageSize to_size(const Fields& fields, std::uint64_t side_max) {
  return {static_cast<std::uint32_t>(fields.integer("width", 1, side_max)),
          static_cast<std::uint32_t>(fields.integer("height", 1, side_max))};
}

ImageForm to_form(const Napi::Value& value) {
  const Fields fields(value, "form", "form");
  ImageForm form{};
  form.size = to_size(fields, kWantedSideMax);
  form.channels = static_cast<unsigned>(fields.integer("channels", 1, 3));
  if (form.channels == 2) refuse_value("form.channels", "1 or 3", fields.value("channels"));
  form.fit = to_choice(fields, "fit", kFits);
  form.filter = to_choice(fields, "filter", kFilters);
  form.short_side = static_cast<std::uint32_t>(
      fields.integer("shortSide", 0, form.fit == ImageFit::kCrop ? kWantedSideMax : 0));
  return form;
}

/// Some files on libuv's pool: each takes some hundred microseconds, and handing one over a tenth of that.
class JpegWorker : public Napi::AsyncWorker {
 public:
  JpegWorker(const Napi::CallbackInfo& info)
      : Napi::AsyncWorker(info.Env()),
        deferred_(info.Env()),
        form_(to_form(info[1])),
        pixels_max_(to_integer(info[2], "pixelsMax", 1, kSideMax)),
        image_bytes_(std::size_t{form_.size.width} * form_.size.height * form_.channels),
        kept_(Napi::Persistent(Napi::Array::New(info.Env()).As<Napi::Object>())) {
    if (!info[0].IsArray()) refuse_value("contents", "an array of Uint8Array", info[0]);
    const auto contents = info[0].As<Napi::Array>();
    for (std::uint32_t i = 0; i < contents.Length(); ++i) add(contents.Get(i), i);
    if (!is_bytes(info[3])) refuse_value("pixels", "a Uint8Array", info[3]);
    auto pixels = info[3].As<Napi::Uint8Array>();
    const std::size_t expected = files_.size() * image_bytes_;
    if (pixels.ElementLength() != expected) {
      refuse("pixels", "Expected `pixels` to have " + std::to_string(expected) + " bytes but received " +
                           std::to_string(pixels.ElementLength()) + ".");
    }
    pixels_ = pixels.Data();
    kept_.Set("pixels", pixels);
  }

  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override {
    for (std::size_t i = 0; i < files_.size(); ++i) {
      if (files_[i]) outcomes_[i] = decode(*files_[i], {pixels_ + i * image_bytes_, image_bytes_});
    }
  }

  void OnOK() override {
    auto results = Napi::Array::New(Env(), outcomes_.size());
    for (std::uint32_t i = 0; i < outcomes_.size(); ++i) results.Set(i, to_result(outcomes_[i]));
    deferred_.Resolve(results);
  }

  void OnError(const Napi::Error& error) override {
    deferred_.Reject(to_javascript(Env(), Error(ErrorCode::kInternal, "", error.Message())));
  }

 private:
  struct Decoded {};
  struct OtherColours {};
  using Outcome = std::variant<Decoded, OtherColours, Error>;
  using File = std::optional<std::span<const std::uint8_t>>;

  void add(const Napi::Value& content, std::uint32_t index) {
    outcomes_.emplace_back();
    if (content.IsNull()) {
      files_.emplace_back();
      return;
    }
    const std::string name = "contents[" + std::to_string(index) + "]";
    if (!is_bytes(content)) refuse_value(name, "a Uint8Array or null", content);
    const auto bytes = content.As<Napi::Uint8Array>();
    files_.emplace_back(std::in_place, bytes.Data(), bytes.ElementLength());
    kept_.Set(index, bytes);
  }

  Outcome decode(std::span<const std::uint8_t> file, std::span<std::uint8_t> pixels) const {
    try {
      if (decode_jpeg(file, form_, pixels_max_, pixels)) return Decoded{};
      return OtherColours{};
    } catch (const Error& error) {
      return error;
    }
  }

  Napi::Value to_result(const Outcome& outcome) const {
    if (const auto* error = std::get_if<Error>(&outcome)) return to_javascript(Env(), *error);
    if (std::holds_alternative<OtherColours>(outcome)) return Napi::String::New(Env(), "otherColours");
    return Env().Null();
  }

  Napi::Promise::Deferred deferred_;
  ImageForm form_;
  std::size_t pixels_max_;
  std::size_t image_bytes_;
  std::vector<File> files_;
  std::vector<Outcome> outcomes_;
  std::uint8_t* pixels_ = nullptr;
  Napi::ObjectReference kept_;  // the arrays
};

class ResampleWorker : public Napi::AsyncWorker {
 public:
  ResampleWorker(Napi::Env env, std::function<Pixels()> work)
      : Napi::AsyncWorker(env), deferred_(env), work_(std::move(work)) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override {
    try {
      pixels_ = work_();
    } catch (const Error& error) {
      failure_ = error;
    }
  }

  void OnOK() override {
    if (failure_) {
      deferred_.Reject(to_javascript(Env(), *failure_));
    } else {
      auto result = Napi::Uint8Array::New(Env(), pixels_.size());
      std::copy(pixels_.begin(), pixels_.end(), result.Data());
      deferred_.Resolve(result);
    }
  }

  void OnError(const Napi::Error& error) override {
    deferred_.Reject(to_javascript(Env(), Error(ErrorCode::kInternal, "", error.Message())));
  }

 private:
  Napi::Promise::Deferred deferred_;
  std::function<Pixels()> work_;
  Pixels pixels_;
  std::optional<Error> failure_;
};

/// A copy: the caller may do with its array as it likes while another thread reads.
Pixels to_bytes(const Napi::Value& value, const char* name) {
  if (!is_bytes(value)) refuse_value(name, "a Uint8Array", value);
  const auto array = value.As<Napi::Uint8Array>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

}  // namespace

Napi::Value decode_jpegs(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value { return start(std::make_unique<JpegWorker>(info)); });
}

Napi::Value resample_image(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const ImageSize stored = to_size(Fields(info[1], "stored", "stored"), kSideMax);
    const ImageSize size = to_size(Fields(info[2], "size", "size"), kSideMax);
    const ImageForm form = to_form(info[3]);
    Pixels pixels = to_bytes(info[0], "pixels");
    const std::size_t expected = std::size_t{stored.width} * stored.height * 3;
    if (pixels.size() != expected) {
      refuse("pixels", "Expected `pixels` to have " + std::to_string(expected) + " bytes but received " +
                           std::to_string(pixels.size()) + ".");
    }
    return start(std::make_unique<ResampleWorker>(info.Env(), [pixels = std::move(pixels), stored, size, form] {
      return resample_pixels(pixels, stored, size, form);
    }));
  });
}

}  // namespace millrace::binding
