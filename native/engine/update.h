#pragma once

namespace millrace {

/// Parameters and what lies beside them: gradient, and up to two moments. Views; same layout in all four.
struct ParameterBlocks {
  float* value;
  float* gradient;
  float* first_moment;
  float* second_moment;
};

enum class UpdateRule { kDescent, kMomentum, kNesterov, kAdam };

/// The numbers of one optimizer step, ready for the kernels. Made by `Optimizer::update_at`; the step count is in here
/// and not in the blocks, so that it advances once a step however many tensors there are.
struct Update {
  UpdateRule rule;
  float learning_rate;  // Adam: already divided by 1 - beta1^t
  float momentum;
  float beta1;
  float beta2;
  float epsilon;
  float second_moment_scale;  // 1 / sqrt(1 - beta2^t)
};

}  // namespace millrace
