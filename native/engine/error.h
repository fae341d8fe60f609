#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace millrace {

enum class ErrorCode { kInvalidArgument, kFailedPrecondition, kCancelled, kDiverged, kInternal };

/// The one error type the engine throws. `field` names the argument at fault, or is empty.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, std::string field, const std::string& message)
      : std::runtime_error(message), code_(code), field_(std::move(field)) {}

  ErrorCode code() const noexcept { return code_; }
  const std::string& field() const noexcept { return field_; }

 private:
  ErrorCode code_;
  std::string field_;
};

[[noreturn]] inline void refuse(std::string field, const std::string& message) {
  throw Error(ErrorCode::kInvalidArgument, std::move(field), message);
}

}  // namespace millrace
