#pragma once

#include <cstdint>

#include "update.h"

namespace millrace {

enum class OptimizerType { kGradientDescent, kSgd, kAdam };

/// What a caller asks for. Fields that a type does not use are ignored.
struct OptimizerSpec {
  OptimizerType type;
  float learning_rate;
  float momentum;
  bool nesterov;
  float beta1;
  float beta2;
  float epsilon;
};

/// The update rules, with w the parameters, g the gradient of the mean loss, t the step, counted from 1:
/// - gradient descent: w -= rate * g
/// - SGD with momentum (Polyak 1964), in Keras's form: v = momentum * v - rate * g; w += v. With `nesterov`
///   (Sutskever et al. 2013): w += momentum * v - rate * g. PyTorch's form (v = momentum * v + g; w -= rate * v) is the
///   same as long as the rate is constant.
/// - Adam (Kingma and Ba 2015, algorithm 1): m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2;
///   w -= rate * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon). Keras adds its epsilon before the correction of v
///   ("epsilon hat" in the paper's section 2); with its default of 1e-7 the difference is not seen in practice.
class Optimizer {
 public:
  /// Refuses rates that are not positive and finite, momenta and betas outside [0, 1), and a negative epsilon.
  explicit Optimizer(const OptimizerSpec& spec);

  const OptimizerSpec& spec() const { return spec_; }
  /// How many blocks of moments the rule keeps beside the parameters: 0, 1 or 2.
  int moment_count() const;
  /// The constants of step `step`, counted from 1.
  Update update_at(std::uint64_t step) const;

 private:
  OptimizerSpec spec_;
};

}  // namespace millrace
