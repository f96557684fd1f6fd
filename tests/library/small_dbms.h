// Small deep Boltzmann machines, and the same in plain double precision: every quantity is a sum over the
// states of all units, by the definition of the energy alone.
#pragma once

#include <string>
#include <vector>

#include "deepgen/models/boltzmann/dbm.h"
#include "deepgen/models/boltzmann/dbm_half.h"
#include "tests/library/machines.h"

namespace deepgen::small_dbms {

using namespace machines;

inline constexpr std::int64_t columns = 5;
// The odd half is kept by the first two machines, the even one, the data in it, by the third; the first draws
// its even hidden layer, the third too.
inline const std::vector<std::string> shapes = {"4,3", "3,2,4", "8,2"};

inline std::shared_ptr<Dbm> make_dbm(const std::string& hidden, double scale, std::uint64_t seed,
                                     DbmLearning learning = {}) {
  DbmOptions options;
  options.hidden = hidden;
  learning.chains = std::min<std::int64_t>(learning.chains, 50);
  const auto dbm = std::make_shared<Dbm>(options, learning, bits_shape(columns));
  Rng rng(seed);
  dbm->initialise(bits_tensor(64, columns, rng, 0.35), rng);
  randomise(*dbm, scale, rng);
  return dbm;
}

inline DbmLearning learning_by(const std::string& how, bool centring = true) {
  DbmLearning learning;
  learning.learning = how, learning.centring = centring;
  return learning;
}

struct PlainDbm {
  std::vector<std::int64_t> sizes;
  std::vector<Doubles> w, b;
  Doubles logs;  // -E of all states; layer after layer, the data's units are the lowest bits

  explicit PlainDbm(const Dbm& dbm) {
    for (const Tensor& each : dbm.biases) sizes.push_back(each.size(0)), b.push_back(doubles(each));
    for (const Tensor& each : dbm.weights) w.push_back(doubles(each));
    for (std::int64_t s = 0; s < std::int64_t{1} << units(); ++s) logs.push_back(log_joint(s));
  }
  std::int64_t units() const {
    std::int64_t sum = 0;
    for (const std::int64_t n : sizes) sum += n;
    return sum;
  }
  std::int64_t first(std::size_t l) const {
    std::int64_t sum = 0;
    for (std::size_t k = 0; k < l; ++k) sum += sizes[k];
    return sum;
  }
  std::int64_t layer(std::int64_t s, std::size_t l) const {
    return s >> first(l) & ((std::int64_t{1} << sizes[l]) - 1);
  }
  double log_joint(std::int64_t s) const {
    double sum = 0;
    for (std::size_t l = 0; l < sizes.size(); ++l)
      for (std::int64_t i = 0; i < sizes[l]; ++i) {
        if ((layer(s, l) >> i & 1) == 0) continue;
        sum += b[l][size(i)];
        for (std::int64_t j = 0; l + 1 < sizes.size() && j < sizes[l + 1]; ++j)
          if (layer(s, l + 1) >> j & 1) sum += w[l][size(i * sizes[l + 1] + j)];
      }
    return sum;
  }
  double log_z() const { return log_sum_exp(logs); }
  // log of the sum of exp(-E) over what is not in the layers of `parity`, by the number of their states.
  Doubles log_half(int parity) const {
    std::vector<Doubles> terms;
    for (std::size_t s = 0; s < logs.size(); ++s) {
      std::int64_t number = 0, shift = 0;
      for (auto l = static_cast<std::size_t>(parity); l < sizes.size(); l += 2)
        number |= layer(static_cast<std::int64_t>(s), l) << shift, shift += sizes[l];
      if (terms.empty()) terms.resize(size(std::int64_t{1} << shift));
      terms[size(number)].push_back(logs[s]);
    }
    return sums(terms);
  }
  Doubles log_cases() const {  // log p*(v)
    std::vector<Doubles> terms(size(std::int64_t{1} << sizes[0]));
    for (std::size_t s = 0; s < logs.size(); ++s)
      terms[size(layer(static_cast<std::int64_t>(s), 0))].push_back(logs[s]);
    return sums(terms);
  }
  static Doubles sums(const std::vector<Doubles>& terms) {
    Doubles all;
    for (const Doubles& each : terms) all.push_back(log_sum_exp(each));
    return all;
  }
};

}  // namespace deepgen::small_dbms
