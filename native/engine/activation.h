#pragma once

namespace millrace {

/// Formulas in kernels/activation.inc. Parameters, where an activation has one, are those of `default_parameter` unless
/// a layer of its own gives another.
enum class Activation {
  kLinear,
  kSigmoid,
  kHardSigmoid,
  kTanh,
  kRelu,
  kLeakyRelu,
  kElu,
  kSelu,
  kGelu,
  kGeluTanh,
  kSilu,
  kSoftplus,
  kSoftsign,
  kSoftmax,
  kLogSoftmax,
};

/// The negative slope of leaky ReLU and the alpha of ELU, as in Keras; 0 for the others.
constexpr float default_parameter(Activation activation) {
  return activation == Activation::kLeakyRelu ? 0.2f : activation == Activation::kElu ? 1.0f : 0.0f;
}

/// Whether each output depends on its own input only.
constexpr bool is_elementwise(Activation activation) {
  return activation != Activation::kSoftmax && activation != Activation::kLogSoftmax;
}

/// Whether the slope can be told from the output alone, so that the input need not be kept.
constexpr bool slope_from_output(Activation activation) {
  return activation != Activation::kGelu && activation != Activation::kGeluTanh && activation != Activation::kSilu;
}

}  // namespace millrace
