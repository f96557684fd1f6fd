#include "deepgen/evaluate/neighbours.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>

#include "deepgen/kernels/kernels.h"
#include "deepgen/ops/products.h"

namespace deepgen {
namespace {

constexpr std::int64_t distances_of_block = 8 << 20;  // distances held at a time: 32 MiB
// Rows that the product in float32 proposes; their distances are then computed in float64. More than the five
// asked for at most, so that rounding in the product cannot shut a true neighbour out.
constexpr std::size_t candidates = 16;

struct Candidate {
  double distance;
  std::int64_t row;
  bool operator<(const Candidate& other) const {
    return distance != other.distance ? distance < other.distance : row < other.row;
  }
};

// The `candidates` smallest of n numbers, in order.
std::vector<Candidate> nearest_of(const float* numbers, std::int64_t n) {
  std::vector<Candidate> best;
  best.reserve(candidates + 1);
  for (std::int64_t i = 0; i < n; ++i) {
    const Candidate now{static_cast<double>(numbers[i]), i};
    if (best.size() == candidates && !(now < best.back())) continue;
    best.insert(std::upper_bound(best.begin(), best.end(), now), now);
    if (best.size() > candidates) best.pop_back();
  }
  return best;
}

double squared_distance(const float* a, const float* b, std::int64_t columns) {
  // Four sums, so that the additions need not wait for each other.
  std::array<double, 4> sums{};
  for (std::int64_t j = 0; j < columns; ++j) {
    const double difference = static_cast<double>(a[j]) - static_cast<double>(b[j]);
    sums[static_cast<std::size_t>(j & 3)] += difference * difference;
  }
  return sums[0] + sums[1] + sums[2] + sums[3];
}

// A whole number near the mean of each column: whole numbers stay whole, so ties among them stay exact.
Tensor whole_means(const Tensor& rows) {
  const std::int64_t n = rows.size(0), columns = rows.size(1);
  std::vector<double> sums(static_cast<std::size_t>(columns));
  const float* x = rows.data_ptr<float>();
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < columns; ++j)
      sums[static_cast<std::size_t>(j)] += static_cast<double>(x[i * columns + j]);
  Tensor shift = at::empty({columns});
  for (std::int64_t j = 0; j < columns; ++j)
    shift.data_ptr<float>()[j] =
        static_cast<float>(std::round(sums[static_cast<std::size_t>(j)] / static_cast<double>(n)));
  return shift;
}

}  // namespace

NearestNeighbours::NearestNeighbours(Tensor rows, std::vector<std::int64_t> labels)
    : rows_(std::move(rows)),
      squares_(at::empty({rows_.size(0)})),
      shift_(whole_means(rows_)),
      labels_(std::move(labels)) {
  rows_.sub_(shift_);
  const std::int64_t columns = rows_.size(1);
  const std::vector<float> origin(static_cast<std::size_t>(columns));
  for (std::int64_t i = 0; i < rows_.size(0); ++i)
    squares_.data_ptr<float>()[i] =
        static_cast<float>(squared_distance(rows_.data_ptr<float>() + i * columns, origin.data(), columns));
}

void NearestNeighbours::find(const Tensor& x, Tensor& distances, std::int64_t k, std::int64_t* out) const {
  // |row|^2 - 2 x row: what is left of the squared distance when |x|^2, the same for all rows, is left out.
  distances.copy_(squares_.expand_as(distances));
  multiply(distances, x, rows_.t(), -2, 1);
  const std::int64_t known = rows_.size(0), columns = rows_.size(1);
  const float* rough = distances.data_ptr<float>();
  const float* asked = x.data_ptr<float>();
  const float* rows = rows_.data_ptr<float>();
  parallel_ranges(x.size(0), 1.0 * static_cast<double>(known), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      std::vector<Candidate> best = nearest_of(rough + i * known, known);
      for (Candidate& one : best)
        one.distance = squared_distance(asked + i * columns, rows + one.row * columns, columns);
      std::sort(best.begin(), best.end());
      for (std::int64_t j = 0; j < k; ++j) out[i * k + j] = best[static_cast<std::size_t>(j)].row;
    }
  });
}

Tensor NearestNeighbours::nearest(const Tensor& x, std::int64_t k, std::int64_t block) const {
  if (block <= 0) block = std::max<std::int64_t>(1, distances_of_block / rows_.size(0));
  const Tensor moved = x - shift_;
  Tensor found = at::empty({x.size(0), k}, at::kLong);
  for (std::int64_t first = 0; first < x.size(0); first += block) {
    const std::int64_t count = std::min(block, x.size(0) - first);
    Tensor distances = at::empty({count, rows_.size(0)});
    find(moved.narrow(0, first, count), distances, k, found.data_ptr<std::int64_t>() + first * k);
    if (after_block) after_block(count);
  }
  return found;
}

Tensor NearestNeighbours::vote(const Tensor& nearest, std::int64_t k) const {
  const std::int64_t rows = nearest.size(0), width = nearest.size(1);
  const std::int64_t* index = nearest.data_ptr<std::int64_t>();
  Tensor chosen = at::empty({rows}, at::kLong);
  for (std::int64_t i = 0; i < rows; ++i) {
    std::map<std::int64_t, std::int64_t> votes;
    std::int64_t most = 0;
    auto label = [&](std::int64_t j) { return labels_[static_cast<std::size_t>(index[i * width + j])]; };
    for (std::int64_t j = 0; j < k; ++j) most = std::max(most, ++votes[label(j)]);
    for (std::int64_t j = k; j-- > 0;)  // the nearest one comes last and stays
      if (votes[label(j)] == most) chosen.data_ptr<std::int64_t>()[i] = label(j);
  }
  return chosen;
}

}  // namespace deepgen
