// What the tests of the library share: small machines in plain double precision, and statistical checks with
// a stated rate of false alarms.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "deepgen/core/error.h"
#include "deepgen/kernels/kernels.h"
#include "deepgen/model/registry.h"
#include "deepgen/models/boltzmann/rbm.h"
#include "deepgen/parts/checks/enumeration.h"

namespace deepgen::machines {

using Doubles = std::vector<double>;

inline std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }
inline double real(std::int64_t n) { return static_cast<double>(n); }

inline double log_sum_exp(const Doubles& values) {
  double largest = -std::numeric_limits<double>::infinity(), sum = 0;
  for (const double x : values) largest = std::max(largest, x);
  for (const double x : values) sum += std::exp(x - largest);
  return largest + std::log(sum);
}

inline Doubles doubles(const Tensor& tensor) {
  const Tensor dense = tensor.detach().to(at::kDouble).contiguous();
  return {dense.data_ptr<double>(), dense.data_ptr<double>() + dense.numel()};
}

// All states of n units as rows of floats, state s in row s: unit i is bit i.
inline Tensor all_states(std::int64_t n) {
  Tensor states = at::zeros({std::int64_t{1} << n, n});
  for (std::int64_t s = 0; s < states.size(0); ++s)
    for (std::int64_t i = 0; i < n; ++i) states.data_ptr<float>()[s * n + i] = static_cast<float>(s >> i & 1);
  return states;
}

inline std::vector<std::int64_t> state_numbers(const Tensor& rows) {
  std::vector<std::int64_t> numbers(size(rows.size(0)));
  const Tensor dense = rows.to(at::kFloat).contiguous();
  for (std::int64_t r = 0; r < rows.size(0); ++r)
    for (std::int64_t i = 0; i < rows.size(1); ++i)
      if (dense.data_ptr<float>()[r * rows.size(1) + i] > 0.5F) numbers[size(r)] |= std::int64_t{1} << i;
  return numbers;
}

inline Tensor normal_tensor(at::IntArrayRef shape, double scale, Rng& rng) {
  Tensor t = at::empty(shape);
  for (std::int64_t i = 0; i < t.numel(); ++i)
    t.data_ptr<float>()[i] = static_cast<float>(scale * rng.normal());
  return t;
}

inline Tensor bits_tensor(std::int64_t rows, std::int64_t columns, Rng& rng, double share = 0.5) {
  Tensor t = at::empty({rows, columns});
  for (std::int64_t i = 0; i < t.numel(); ++i) t.data_ptr<float>()[i] = rng.uniform() < share ? 1.0F : 0.0F;
  return t;
}

// What models of bits are made for.
inline DataShape bits_shape(std::int64_t columns, std::int64_t classes = 0) {
  return {columns, {columns}, classes, ValueKind::binary, {}};
}

// Rows that the layer can take.
inline Tensor layer_rows(const UnitLayer& layer, std::int64_t count, Rng& rng) {
  Tensor a = normal_tensor({count, layer.size()}, 0.7, rng);
  return layer.sample(a, {}, rng);
}

// A machine whose parameters lie near where training begins; stepped units have five copies.
inline std::shared_ptr<Rbm> unit_rbm(const UnitLayer& visible, const std::string& hidden_kind,
                                     std::int64_t hidden, double scale, std::uint64_t seed,
                                     RbmLearning learning = {}) {
  RbmOptions options;
  options.hidden = hidden, options.hidden_units = hidden_kind, options.copies = 5;
  auto rbm = std::make_shared<Rbm>(options, learning, visible);
  Rng rng(seed);
  rbm->initialise({layer_rows(visible, 200, rng), {}}, rng);
  NoGradGuard no_graph;
  for (auto& item : rbm->named_parameters())
    item.value().add_(normal_tensor(item.value().sizes(), scale, rng));
  return rbm;
}

// Rows of the kinds of columns of the shape, independent of each other.
inline Tensor rows_of_shape(const DataShape& data, std::int64_t count, Rng& rng) {
  return layer_rows(UnitLayer::of(data.column_groups()), count, rng);
}

// Every parameter drawn anew, whatever the model.
inline void randomise(Model& model, double scale, Rng& rng) {
  NoGradGuard no_graph;
  for (auto& item : model.named_parameters())
    item.value().copy_(normal_tensor(item.value().sizes(), scale, rng));
}

inline std::shared_ptr<Rbm> make_rbm(std::int64_t visible, std::int64_t hidden, double scale,
                                     std::uint64_t seed, RbmLearning learning = {}) {
  RbmOptions options;
  options.hidden = hidden;
  auto rbm = std::make_shared<Rbm>(options, learning, bits_shape(visible));
  Rng rng(seed);
  rbm->initialise({bits_tensor(64, visible, rng, 0.35), {}}, rng);
  randomise(*rbm, scale, rng);
  return rbm;
}

// Means of v h^T, v and h.
struct Statistics {
  Doubles vh, v, h;
};

// A machine of binary visible and binary or softmax hidden units in double precision: every quantity is a sum
// over the states of both layers, by the definition of the energy alone.
struct PlainRbm {
  std::int64_t V, H;
  Doubles w, b, c;
  std::vector<std::int64_t> hidden_states;  // that the hidden layer can be in: one unit of each softmax group

  explicit PlainRbm(const Rbm& rbm)
      : V(rbm.visible()),
        H(rbm.hidden()),
        w(doubles(rbm.weights)),
        b(doubles(rbm.visible_bias)),
        c(doubles(rbm.hidden_bias)) {
    for (std::int64_t h = 0; h < std::int64_t{1} << H; ++h)
      if (possible(rbm.hidden_layer(), h)) hidden_states.push_back(h);
  }
  static bool possible(const UnitLayer& layer, std::int64_t state) {
    for (const UnitGroup& group : layer.groups()) {
      if (group.kind != UnitKind::softmax) continue;
      std::int64_t on = 0;
      for (std::int64_t j = group.first; j < group.first + group.size; ++j) on += state >> j & 1;
      if (on != 1) return false;
    }
    return true;
  }

  // -E(v, h), the units being the bits of two numbers.
  double log_joint(std::int64_t v, std::int64_t h) const {
    double sum = 0;
    for (std::int64_t i = 0; i < V; ++i) {
      if (!(v >> i & 1)) continue;
      sum += b[size(i)];
      for (std::int64_t j = 0; j < H; ++j)
        if (h >> j & 1) sum += w[size(i * H + j)];
    }
    for (std::int64_t j = 0; j < H; ++j)
      if (h >> j & 1) sum += c[size(j)];
    return sum;
  }
  double log_unnormalised(std::int64_t v) const {
    Doubles terms;
    for (const std::int64_t h : hidden_states) terms.push_back(log_joint(v, h));
    return log_sum_exp(terms);
  }
  Doubles log_unnormalised() const {
    Doubles all;
    for (std::int64_t v = 0; v < std::int64_t{1} << V; ++v) all.push_back(log_unnormalised(v));
    return all;
  }
  double log_z() const { return log_sum_exp(log_unnormalised()); }

  // Adds the means of p(h | v), weighted.
  void add_given(std::int64_t v, double weight, Statistics& s) const {
    const double log_v = log_unnormalised(v);
    for (const std::int64_t h : hidden_states) {
      const double p = weight * std::exp(log_joint(v, h) - log_v);
      for (std::int64_t j = 0; j < H; ++j) {
        if (!(h >> j & 1)) continue;
        s.h[size(j)] += p;
        for (std::int64_t i = 0; i < V; ++i)
          if (v >> i & 1) s.vh[size(i * H + j)] += p;
      }
    }
    for (std::int64_t i = 0; i < V; ++i)
      if (v >> i & 1) s.v[size(i)] += weight;
  }
  Statistics none() const { return {Doubles(size(V * H)), Doubles(size(V)), Doubles(size(H))}; }
  Statistics model_statistics() const {
    Statistics s = none();
    const Doubles logs = log_unnormalised();
    const double total = log_sum_exp(logs);
    for (std::size_t v = 0; v < logs.size(); ++v)
      add_given(static_cast<std::int64_t>(v), std::exp(logs[v] - total), s);
    return s;
  }
  Statistics data_statistics(const Tensor& x) const {
    Statistics s = none();
    for (const std::int64_t v : state_numbers(x)) add_given(v, 1 / real(x.size(0)), s);
    return s;
  }
  double mean_log_prob(const Tensor& x) const {
    double sum = 0;
    for (const std::int64_t v : state_numbers(x)) sum += log_unnormalised(v);
    return sum / real(x.size(0)) - log_z();
  }
};

inline Doubles probabilities(const Doubles& logs) {
  const double total = log_sum_exp(logs);
  Doubles p;
  for (const double x : logs) p.push_back(std::exp(x - total));
  return p;
}

// Independent draws from a table of probabilities over the states of n units.
inline Tensor exact_samples(const Doubles& p, std::int64_t n, std::int64_t count, Rng& rng) {
  Doubles cumulative(p.size());
  double sum = 0;
  for (std::size_t s = 0; s < p.size(); ++s) cumulative[s] = sum += p[s];
  Tensor x = at::zeros({count, n});
  for (std::int64_t r = 0; r < count; ++r) {
    const auto found = std::upper_bound(cumulative.begin(), cumulative.end() - 1, rng.uniform() * sum);
    const std::int64_t state = found - cumulative.begin();
    for (std::int64_t i = 0; i < n; ++i) x.data_ptr<float>()[r * n + i] = static_cast<float>(state >> i & 1);
  }
  return x;
}

// How many standard deviations Pearson's statistic of these draws lies above its mean, by the cube-root
// approximation of Wilson and Hilferty 1931. States expected fewer than 8 times are taken together.
inline double chi_square_z(const std::vector<std::int64_t>& draws, const Doubles& p) {
  Doubles counts(p.size());
  for (const std::int64_t s : draws) counts[size(s)] += 1;
  const double n = static_cast<double>(draws.size());
  double statistic = 0, cells = 0, rare_count = 0, rare_expected = 0;
  auto add = [&](double count, double expected) {
    statistic += (count - expected) * (count - expected) / expected;
    cells += 1;
  };
  for (std::size_t s = 0; s < p.size(); ++s) {
    if (n * p[s] >= 8)
      add(counts[s], n * p[s]);
    else
      rare_count += counts[s], rare_expected += n * p[s];
  }
  if (rare_expected >= 1)
    add(rare_count, rare_expected);
  else if (rare_count > rare_expected + 12)
    return 100;  // impossible states came up
  if (cells < 2) return 0;
  const double k = cells - 1;
  return (std::cbrt(statistic / k) - (1 - 2 / (9 * k))) / std::sqrt(2 / (9 * k));
}

// One check in a million fails by chance.
inline constexpr double one_in_a_million = 4.76;

inline void expect_drawn_from(const Tensor& rows, const Doubles& p, const std::string& what) {
  EXPECT_LT(chi_square_z(state_numbers(rows), p), one_in_a_million) << what;
}

// Running mean and deviation of many vectors.
class Moments {
 public:
  void add(const Doubles& values) {
    if (sum_.empty()) sum_.resize(values.size()), squares_.resize(values.size());
    for (std::size_t i = 0; i < values.size(); ++i)
      sum_[i] += values[i], squares_[i] += values[i] * values[i];
    ++count_;
  }
  // The largest distance of a mean from `wanted` in its standard errors; `slack` allows for float32. `least`: the
  // variances are at least these, where they are known: values that are rare and large may be missing among the seen.
  double largest_z(const Doubles& wanted, double slack, const Doubles& least = {}) const {
    double largest = 0;
    for (std::size_t i = 0; i < sum_.size(); ++i) {
      const double n = static_cast<double>(count_), mean = sum_[i] / n;
      const double variance = std::max(least.empty() ? 0.0 : least[i], squares_[i] / n - mean * mean);
      const double error = std::sqrt(variance / (n - 1)) + slack;
      largest = std::max(largest, std::abs(mean - wanted[i]) / error);
    }
    return largest;
  }

 private:
  Doubles sum_, squares_;
  std::int64_t count_ = 0;
};

// The gradients that loss() leaves in .grad, what it returns being descended, against central differences along a
// random direction in each parameter; loss() must draw alike each time.
inline void expect_slopes(const Model& model, const std::function<double()>& loss, Rng& directions,
                          double step, double absolute, double relative, const std::string& what) {
  loss();
  std::map<std::string, Tensor> gradients;
  for (const auto& item : model.named_parameters()) gradients[item.key()] = item.value().grad().clone();
  for (const auto& item : model.named_parameters()) {
    Tensor numbers = item.value().detach();  // the same numbers
    const Tensor along = normal_tensor(numbers.sizes(), 1, directions), before = numbers.clone();
    numbers.copy_(before + along * step);
    const double above = loss();
    numbers.copy_(before - along * step);
    const double below = loss();
    numbers.copy_(before);
    const double slope = (gradients[item.key()] * along).sum().item<double>();
    EXPECT_NEAR((above - below) / (2 * step), slope, absolute + relative * std::abs(slope))
        << item.key() << " of " << what;
  }
}

inline void expect_bit_equal(const Tensor& a, const Tensor& b, const std::string& what) {
  ASSERT_EQ(a.sizes(), b.sizes()) << what;
  ASSERT_EQ(a.scalar_type(), b.scalar_type()) << what;
  const Tensor x = a.detach().contiguous(), y = b.detach().contiguous();
  const std::size_t bytes = size(x.numel()) * x.element_size();
  EXPECT_EQ(std::memcmp(x.data_ptr(), y.data_ptr(), bytes), 0)
      << what << ": largest difference "
      << (x.to(at::kDouble) - y.to(at::kDouble)).abs().max().item<double>();
}

inline void expect_near(const Doubles& a, const Doubles& b, double tolerance, const std::string& what) {
  ASSERT_EQ(a.size(), b.size()) << what;
  for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], tolerance) << what << " [" << i << "]";
}

// The message of the error that `run` throws; a failed test when it throws none, or one of another kind.
inline std::string error_of(ErrorKind kind, const std::function<void()>& run) {
  try {
    run();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "expected an error of the library, got another exception: " << error.what();
    return "";
  }
  ADD_FAILURE() << "expected an error, got none";
  return "";
}

inline void expect_says(const std::string& message, const std::vector<std::string>& parts) {
  for (const std::string& part : parts)
    EXPECT_NE(message.find(part), std::string::npos) << part << " in: " << message;
}

// Threads for the length of a scope.
class Threads {
 public:
  explicit Threads(int count) : before_(threads()) { set_threads(count); }
  ~Threads() { set_threads(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

}  // namespace deepgen::machines
