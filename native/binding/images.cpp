#include "images.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
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

/// Images on libuv's pool: each takes some hundred microseconds, and several at once are wanted.
class ImageWorker : public Napi::AsyncWorker {
 public:
  using Work = std::function<std::optional<Pixels>()>;

  ImageWorker(Napi::Env env, Work work)
      : Napi::AsyncWorker(env), deferred_(env), work_(std::move(work)) {}

  static Napi::Promise start(Napi::Env env, Work work) {
    auto worker = std::make_unique<ImageWorker>(env, std::move(work));
    const Napi::Promise promise = worker->deferred_.Promise();
    worker->Queue();
    worker.release();  // It deletes itself when it has answered.
    return promise;
  }

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
    } else if (!pixels_) {
      deferred_.Resolve(Env().Null());
    } else {
      auto result = Napi::Uint8Array::New(Env(), pixels_->size());
      std::copy(pixels_->begin(), pixels_->end(), result.Data());
      deferred_.Resolve(result);
    }
  }

  void OnError(const Napi::Error& error) override {
    deferred_.Reject(to_javascript(Env(), Error(ErrorCode::kInternal, "", error.Message())));
  }

 private:
  Napi::Promise::Deferred deferred_;
  Work work_;
  std::optional<Pixels> pixels_;
  std::optional<Error> failure_;
};

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

/// A copy: the caller may do with its array as it likes while another thread reads.
Pixels to_bytes(const Napi::Value& value, const char* name) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    refuse_value(name, "a Uint8Array", value);
  }
  const auto array = value.As<Napi::Uint8Array>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

}  // namespace

Napi::Value decode_jpeg_file(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const ImageForm form = to_form(info[1]);
    const std::uint64_t pixels_max = to_integer(info[2], "pixelsMax", 1, kSideMax);
    return ImageWorker::start(info.Env(), [content = to_bytes(info[0], "content"), form, pixels_max] {
      return decode_jpeg(content, form, pixels_max);
    });
  });
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
    return ImageWorker::start(info.Env(), [pixels = std::move(pixels), stored, size, form] {
      return resample_pixels(pixels, stored, size, form);
    });
  });
}

}  // namespace millrace::binding
