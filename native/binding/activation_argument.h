#pragma once

#include <utility>

#include "engine/activation.h"

namespace millrace::binding {

inline constexpr std::pair<const char*, Activation> kActivations[] = {
    {"linear", Activation::kLinear},           {"sigmoid", Activation::kSigmoid},
    {"hardSigmoid", Activation::kHardSigmoid}, {"tanh", Activation::kTanh},
    {"relu", Activation::kRelu},               {"leakyRelu", Activation::kLeakyRelu},
    {"elu", Activation::kElu},                 {"selu", Activation::kSelu},
    {"gelu", Activation::kGelu},               {"geluTanh", Activation::kGeluTanh},
    {"silu", Activation::kSilu},               {"softplus", Activation::kSoftplus},
    {"softsign", Activation::kSoftsign},       {"softmax", Activation::kSoftmax},
    {"logSoftmax", Activation::kLogSoftmax}};

}  // namespace millrace::binding
