// The hot loops, chosen at run time: reference (the specification), avx2, avx512.
//
// Every kernel works on rows [row_begin, row_end) of a matrix in one thread; `parallel_rows` shares rows out.
// The random number of element (r, j) of a matrix of C columns depends on nothing but the stream, r, j and C:
//
//   group   = j / 64,  lane = j % 64
//   block   = r * 16 * ceil(C / 64) + 16 * group + lane % 16        (so sixteen blocks fill 64 neighbours)
//   u(r, j) = unit_float(stream.block(block)[lane / 16])
//
// so results do not depend on the number of threads, nor on how rows are cut into calls. Rows are dense
// (stride = columns). Outputs may alias inputs element by element.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "deepgen/core/philox.h"
#include "deepgen/kernels/activation.h"

namespace deepgen {

// One layer of binary units. a(r,j) = scale * input(r,j) + bias(j); mean = sigmoid(a); sample = [u < mean].
struct BinaryLayer {
  const float* input;           // [rows, columns]
  const float* bias = nullptr;  // [columns], or nullptr: zero
  float scale = 1;
  std::int64_t columns;
  float* mean = nullptr;          // [rows, columns], optional
  float* sample = nullptr;        // [rows, columns] of 0 and 1, optional
  const float* weight = nullptr;  // [columns]: with sample, adds sum_j sample(r,j) * weight(j) to row_sum[r]
  double* row_sum = nullptr;      // [rows]
  Stream stream;
};

// Standard normal numbers come from the same words as u, by Box and Muller 1958 within each block:
//
//   word 0: n = R(u0) cos(2 pi u1)   word 1: n = R(u0) sin(2 pi u1)   with R(u) = sqrt(-2 ln(1 - u))
//   word 2: n = R(u2) cos(2 pi u3)   word 3: n = R(u2) sin(2 pi u3)
//
// A u has 24 bits, so |n| <= sqrt(48 ln 2) = 5.77; what is cut off has probability 8e-9.

// One layer of normal units:
//
//   m(r,j) = gain(j) * scale * input(r,j) + bias(j)
//   mean = m,   sample = m + deviation(j) * n(r,j)
//
// Without an input the sample is the normal numbers themselves.
struct NormalLayer {
  const float* input = nullptr;      // [rows, columns], or nullptr: zero
  const float* bias = nullptr;       // [columns], or nullptr: zero
  const float* gain = nullptr;       // [columns], or nullptr: one
  const float* deviation = nullptr;  // [columns], or nullptr: one
  float scale = 1;
  std::int64_t columns;
  float* mean = nullptr;          // [rows, columns], optional
  float* sample = nullptr;        // [rows, columns], optional
  const float* weight = nullptr;  // [columns]: with sample, adds sum_j sample(r,j) * weight(j) to row_sum[r]
  double* row_sum = nullptr;      // [rows]
  Stream stream;
};

// One layer of noisy rectified units (Nair and Hinton 2010). x(r,j) = scale * input(r,j) + bias(j);
// mean = max(0, x), the activity without noise; sample = max(0, x + sqrt(sigmoid(x)) * n(r,j)).
struct RectifiedLayer {
  const float* input;           // [rows, columns]
  const float* bias = nullptr;  // [columns], or nullptr: zero
  float scale = 1;
  std::int64_t columns;
  float* mean = nullptr;          // [rows, columns], optional
  float* sample = nullptr;        // [rows, columns], optional
  const float* weight = nullptr;  // as in BinaryLayer
  double* row_sum = nullptr;
  Stream stream;
};

// One layer of groups of columns, one of which is on in each. a(r,j) = scale * input(r,j) + bias(j); mean =
// softmax of a within the group; sample = 1 at the first column of the group where the cumulative mean
// exceeds u(r, first column of the group), at its last column when rounding leaves none, and 0 elsewhere.
struct SoftmaxLayer {
  const float* input;           // [rows, columns]
  const float* bias = nullptr;  // [columns], or nullptr: zero
  float scale = 1;
  std::int64_t columns;
  const std::int64_t*
      offsets;              // [groups + 1]: group g is columns offsets[g] up to offsets[g + 1], at least one;
  std::int64_t groups;      // offsets[0] = 0 and offsets[groups] = columns
  float* mean = nullptr;    // [rows, columns], optional
  float* sample = nullptr;  // [rows, columns] of 0 and 1, optional
  double* log_sum_exp = nullptr;  // [rows], optional: overwritten with sum_g ln sum_(j in g) exp(a(r,j))
  const float* weight = nullptr;  // as in BinaryLayer
  double* row_sum = nullptr;
  Stream stream;
};

// One temperature of annealed importance sampling on the hidden side. x(r,j) = input(r,j) + bias(j):
// adds sum_j softplus(to * x) - softplus(from * x) to row_sum[r]; sample = [u < sigmoid(to * x)].
struct AnnealLayer {
  const float* input;  // [rows, columns]
  const float* bias;   // [columns]
  double from, to;     // inverse temperatures
  std::int64_t columns;
  double* row_sum;          // [rows]
  float* sample = nullptr;  // [rows, columns], optional
  Stream stream;
};

// Sum over a row of softplus(scale * input + bias): the hidden part of a free energy. Overwrites row_sum.
struct SoftplusSum {
  const float* input;           // [rows, columns]
  const float* bias = nullptr;  // [columns], or nullptr
  float scale = 1;
  std::int64_t columns;
  double* row_sum;  // [rows]
};

// The same in float64 throughout: row_sum[r] = sum_j softplus(input(r,j)). For exact partition functions.
struct SoftplusSum64 {
  const double* input;  // [rows, columns]
  std::int64_t columns;
  double* row_sum;  // [rows]
};

// Rows of bytes made floats: output(r,j) = scale * bytes(index[r], j); with `binarise`, [u < scale * byte].
struct GatherBytes {
  const std::uint8_t* bytes;  // [any, columns]
  const std::int64_t* index;  // [rows]: which row of bytes; nullptr: row r
  std::int64_t columns;
  float scale = 1;
  bool binarise = false;
  float* output;  // [rows, columns]
  Stream stream;
};

// One pass of stochastic gradient descent over [begin, end) of flat buffers:
//
//   g = gradient_scale * gradient + decay * parameter
//   m = momentum * m + g                                    (momentum buffer m: optional)
//   parameter -= rate * m                                   (nesterov: rate * (g + momentum * m))
//   average += (1 - keep) * (parameter - average)           (average: optional)
struct SgdPass {
  float* parameter;
  const float* gradient;
  float* momentum_buffer = nullptr;
  float* average = nullptr;
  float rate, momentum = 0, decay = 0, keep = 0;
  bool nesterov = false;
  float gradient_scale = 1;  // below 1: a clipped gradient
};

// Adam (Kingma and Ba 2015, algorithm 1) with the same g:
//
//   m = b1 m + (1 - b1) g
//   v = b2 v + (1 - b2) g^2
//   parameter -= rate_t * m / (sqrt(v) + epsilon_t)
//
// where the caller folds the bias corrections into
//
//   rate_t = rate * sqrt(1 - b2^t) / (1 - b1^t)
//   epsilon_t = epsilon * sqrt(1 - b2^t)
struct AdamPass {
  float* parameter;
  const float* gradient;
  float* first;
  float* second;
  float* average = nullptr;
  float rate, beta1, beta2, epsilon, decay = 0, keep = 0;
  float gradient_scale = 1;
};

// sums[j] (+)= scale * sum_r input(r, j), for columns [begin, end), rows added in order (so: deterministic).
struct ColumnSums {
  const float* input;  // [rows, columns]
  std::int64_t rows, columns;
  float scale = 1;
  bool accumulate = false;
  float* sums;  // [columns]
};

// Bits under logits a: row_sum[r] = sum_j x(c,j) a(r,j) - softplus(a(r,j)) with case c = r / draws, so that x
// need not be copied for many draws of one case. residual (optional, may be the logits) = x - sigmoid(a), the
// derivative.
struct BernoulliScore {
  const float* logits;  // [rows, columns]
  const float* cases;   // [(rows - 1) / draws + 1, columns]
  std::int64_t draws = 1;
  std::int64_t columns;
  double* row_sum;            // [rows]: overwritten
  float* residual = nullptr;  // [rows, columns], optional
};

// values = f(values), element by element.
struct ActivationPass {
  Activation function;
  float* values;
};

// result = gradient * f'(a), where value = f(a). The result may be the gradient.
struct ActivationGradient {
  Activation function;
  const float* gradient;
  const float* value;
  float* result;
};

struct KernelTable {
  const char* name;
  void (*binary_layer)(const BinaryLayer&, std::int64_t row_begin, std::int64_t row_end);
  void (*normal_layer)(const NormalLayer&, std::int64_t row_begin, std::int64_t row_end);
  void (*rectified_layer)(const RectifiedLayer&, std::int64_t row_begin, std::int64_t row_end);
  void (*softmax_layer)(const SoftmaxLayer&, std::int64_t row_begin, std::int64_t row_end);
  void (*anneal_layer)(const AnnealLayer&, std::int64_t row_begin, std::int64_t row_end);
  void (*softplus_sum)(const SoftplusSum&, std::int64_t row_begin, std::int64_t row_end);
  void (*softplus_sum64)(const SoftplusSum64&, std::int64_t row_begin, std::int64_t row_end);
  void (*gather_bytes)(const GatherBytes&, std::int64_t row_begin, std::int64_t row_end);
  void (*sgd_pass)(const SgdPass&, std::int64_t begin, std::int64_t end);
  void (*adam_pass)(const AdamPass&, std::int64_t begin, std::int64_t end);
  void (*column_sums)(const ColumnSums&, std::int64_t column_begin, std::int64_t column_end);
  void (*bernoulli_score)(const BernoulliScore&, std::int64_t row_begin, std::int64_t row_end);
  void (*activation)(const ActivationPass&, std::int64_t begin, std::int64_t end);
  void (*activation_gradient)(const ActivationGradient&, std::int64_t begin, std::int64_t end);
};

// The table in use: the best this processor has, or the one DEEPGEN_KERNELS names (a usage error when the
// name is unknown or the processor lacks it). Decided once; `use_kernels` changes it (tests).
const KernelTable& kernels();
void use_kernels(const std::string& name);
std::vector<std::string> available_kernels();  // names this processor can run, best last
const KernelTable& kernel_table(const std::string& name);

// Threads for kernels and matrix products. Sets flush-to-zero in each: a moving average that decays into
// denormal numbers otherwise slows every pass over it several times.
void set_threads(int count);
int threads();

// Calls body(begin, end) on consecutive ranges that cover [0, count), in parallel when count * cost (in
// nanoseconds) is worth the wake-up of threads. Range borders are multiples of `grain`.
void parallel_ranges(std::int64_t count, double cost_ns, std::int64_t grain,
                     const std::function<void(std::int64_t, std::int64_t)>& body);

}  // namespace deepgen
