// How a mixture goes through many rows: in blocks whose numbers stay in the cache, with memory that the threads
// keep, and with what was made of the parameters for as long as these stay as they are.
#pragma once

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "deepgen/core/torch.h"

namespace deepgen {

constexpr std::int64_t block_rows = 128;
constexpr double half_log_two_pi = 0.91893853320467274178;

// What is left of a sum of responsibilities counts as nothing below this.
constexpr double no_mass = 1e-12;

inline Tensor in_float64(const Tensor& x) { return x.detach().to(at::kDouble).contiguous(); }

// Numbers that the calling thread keeps from call to call, at least `size` of them, whatever they are. A call
// may use several, each under a slot of its own, from 0 to 5.
double* kept_numbers(std::size_t slot, std::int64_t size);

// body(item) for every item of [0, items): shared out among the threads, unless all of them together are too
// few multiplications. Within it general products of double precision keep to their thread.
void share_work(std::int64_t items, std::int64_t multiplications,
                const std::function<void(std::int64_t item)>& body);

// body(first, count) for the blocks that n rows are cut into.
template <class F>
void each_block(std::int64_t n, F body) {
  for (std::int64_t first = 0; first < n; first += block_rows) body(first, std::min(block_rows, n - first));
}

// How many of some numbers are none (NaN).
std::int64_t missing_among(const float* values, std::int64_t count);
bool any_missing(const Tensor& x);  // float32, dense

// out [N, K] = x y', x [N, D] and y [K, D] dense float32; over lists of what is not zero where that pays.
void rows_times(const Tensor& x, const Tensor& y, Tensor& out);
// r' x [K, D], r [N, K] and x [N, D] dense float32, in the memory of `kept`.
Tensor shares_times(const Tensor& r, const Tensor& x, Tensor& kept);

// What was made of some dense tensors, until one of them has other values. May be asked by several threads.
template <class T>
class Remembered {
 public:
  template <class F>
  std::shared_ptr<const T> of(const std::vector<Tensor>& tensors, F make) const {
    const std::lock_guard lock(door_);
    if (made_ && same(tensors)) return made_;
    seen_.clear();
    for (const Tensor& each : tensors) seen_.push_back(each.detach().clone());
    made_ = std::make_shared<const T>(make());
    return made_;
  }

 private:
  bool same(const std::vector<Tensor>& tensors) const {
    for (std::size_t i = 0; i < tensors.size(); ++i)
      if (std::memcmp(tensors[i].data_ptr(), seen_[i].data_ptr(), seen_[i].nbytes()) != 0) return false;
    return true;
  }
  mutable std::mutex door_;
  mutable std::vector<Tensor> seen_;
  mutable std::shared_ptr<const T> made_;
};

}  // namespace deepgen
