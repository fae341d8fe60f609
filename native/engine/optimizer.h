#pragma once

#include <array>
#include <cstdint>

#include "update.h"

namespace millrace {

enum class OptimizerType {
  kGradientDescent,
  kSgd,
  kAdam,
  kAdamW,
  kRmsprop,
  kAdagrad,
  kAdadelta,
  kLion
};

/// What a caller asks for. Fields that a type does not use are ignored.
struct OptimizerSpec {
  OptimizerType type = OptimizerType::kGradientDescent;
  double learning_rate = 0.0;
  double momentum = 0.0;
  bool nesterov = false;
  double beta1 = 0.0;
  double beta2 = 0.0;
  double epsilon = 0.0;
  bool amsgrad = false;
  bool centered = false;
  double rho = 0.0;
  double initial_accumulator = 0.0;
  double weight_decay = 0.0;
};

/// The update rules, with w the parameters, g the gradient of the mean loss, t the step, counted from 1. Where Keras and
/// PyTorch differ the form is Keras's, except for Adam's epsilon.
/// - gradient descent: w -= rate * g
/// - SGD with momentum (Polyak 1964): v = momentum * v - rate * g; w += v. With `nesterov` (Sutskever et al. 2013):
///   w += momentum * v - rate * g. PyTorch's v = momentum * v + g; w -= rate * v is the same while the rate is constant.
/// - Adam (Kingma and Ba 2015, algorithm 1): m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2;
///   w -= rate * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon), as in PyTorch. Keras adds its epsilon before the
///   correction of v ("epsilon hat" in the paper's section 2); with its default of 1e-7 the difference is not seen.
///   Formulas without the two corrections by 1 - b^t, or with g in place of m, are not Adam.
/// - AMSGrad (Reddi et al. 2018): Adam with the largest v so far in place of v; v's correction is kept, as in both.
/// - AdamW (Loshchilov and Hutter 2019): Adam with decoupled weight decay.
/// - RMSprop (Tieleman and Hinton 2012): v = rho v + (1 - rho) g^2; s = rate * g / sqrt(v + epsilon); w -= s.
///   `centered` (Graves 2013): a = rho a + (1 - rho) g, and v - a^2 in place of v, not below 0. With momentum:
///   n = momentum * n + s; w -= n. PyTorch has sqrt(v) + epsilon, and the rate outside of n.
/// - Adagrad (Duchi et al. 2011): v += g^2, beginning at `initial_accumulator`; w -= rate * g / sqrt(v + epsilon).
///   PyTorch has sqrt(v) + epsilon, and 0 as the beginning.
/// - Adadelta (Zeiler 2012, algorithm 1): v = rho v + (1 - rho) g^2; s = g * sqrt(u + epsilon) / sqrt(v + epsilon);
///   u = rho u + (1 - rho) s^2; w -= rate * s. Keras's rate is 0.001; the paper's, and PyTorch's, is 1.
/// - Lion (Chen et al. 2023, algorithm 2): w -= rate * sign(b1 m + (1 - b1) g); m = b2 m + (1 - b2) g.
/// Each with decoupled weight decay on all trainable parameters, before the rule: w -= rate * weight_decay * w.
class Optimizer {
 public:
  /// Refuses rates that are not positive and finite, momenta, betas and rho outside [0, 1), an epsilon that is not at
  /// least 1.2e-38 (a parameter that never had a gradient would become 0 / 0), and a negative decay or accumulator.
  explicit Optimizer(const OptimizerSpec& spec);

  const OptimizerSpec& spec() const { return spec_; }
  /// The names of the blocks that the rule keeps beside the parameters, by their place in `ParameterBlocks::moment`;
  /// null where it keeps none.
  std::array<const char*, kMomentsMax> moment_names() const;
  /// What every moment begins with.
  float initial_moment() const;
  /// The constants of step `step`, counted from 1, at a learning rate.
  Update update_at(std::uint64_t step, double learning_rate) const;

 private:
  OptimizerSpec spec_;
};

}  // namespace millrace
