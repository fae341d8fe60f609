#pragma once

namespace millrace {

enum class Activation { kLinear, kSigmoid, kTanh, kRelu, kSoftmax };

}  // namespace millrace
