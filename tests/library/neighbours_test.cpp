// Nearest neighbours against the definition, with ties, in blocks and on threads.
#include "deepgen/evaluate/neighbours.h"

#include "tests/library/machines.h"

namespace deepgen::neighbours_test {
namespace {

using namespace machines;

std::vector<std::int64_t> numbers(const Tensor& t) {
  const Tensor dense = t.contiguous();
  return {dense.data_ptr<std::int64_t>(), dense.data_ptr<std::int64_t>() + dense.numel()};
}

using Numbers = std::vector<std::int64_t>;

// By the definition, in float64.
Numbers plain_nearest(const Tensor& known, const Tensor& x, std::int64_t k) {
  const std::int64_t columns = known.size(1);
  const Doubles a = doubles(known), b = doubles(x);
  Numbers all;
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    std::vector<std::pair<double, std::int64_t>> distances;
    for (std::int64_t n = 0; n < known.size(0); ++n) {
      double sum = 0;
      for (std::int64_t j = 0; j < columns; ++j)
        sum += std::pow(a[size(n * columns + j)] - b[size(i * columns + j)], 2);
      distances.emplace_back(sum, n);
    }
    std::sort(distances.begin(), distances.end());
    for (std::int64_t j = 0; j < k; ++j) all.push_back(distances[size(j)].second);
  }
  return all;
}

TEST(Neighbours, TiesByHand) {
  // On a line, labels beside them: 0 (7), 2 (8), 2 (9), 4 (9), 4 (8).
  const Tensor line = at::tensor({0.0F, 2.0F, 2.0F, 4.0F, 4.0F}).view({5, 1});
  const NearestNeighbours neighbours(line.clone(), {7, 8, 9, 9, 8});
  const Tensor x = at::tensor({1.0F, 3.0F, 2.0F, -5.0F}).view({4, 1});
  const Tensor nearest = neighbours.nearest(x, 5);
  EXPECT_EQ(numbers(nearest), (Numbers{0, 1, 2, 3, 4, 1, 2, 3, 4, 0, 1, 2, 0, 3, 4, 0, 1, 2, 3, 4}));
  EXPECT_EQ(numbers(neighbours.vote(nearest, 1)), (Numbers{7, 8, 8, 7}));
  // Of three: 7 8 9, all once, the nearest; 8 9 9; 8 9 7, the nearest; 7 8 9.
  EXPECT_EQ(numbers(neighbours.vote(nearest, 3)), (Numbers{7, 9, 8, 7}));
  // Of five: two 8, two 9 in each; the nearer of the two labels.
  EXPECT_EQ(numbers(neighbours.vote(nearest, 5)), (Numbers{8, 8, 8, 8}));
}

TEST(Neighbours, AgreeWithTheDefinition) {
  Rng rng(2);
  const Tensor known = normal_tensor({300, 12}, 1, rng), x = normal_tensor({50, 12}, 1, rng);
  const NearestNeighbours neighbours(known.clone(), Numbers(300));
  EXPECT_EQ(numbers(neighbours.nearest(x, 5)), plain_nearest(known, x, 5));
}

TEST(Neighbours, BinaryRowsWithManyTies) {
  Rng rng(3);
  const Tensor known = bits_tensor(400, 9, rng), x = bits_tensor(60, 9, rng);
  const NearestNeighbours neighbours(known.clone(), Numbers(400));
  EXPECT_EQ(numbers(neighbours.nearest(x, 5)), plain_nearest(known, x, 5));
}

TEST(Neighbours, AFarOriginDoesNotBlurThem) {
  Rng rng(4);
  const Tensor known = normal_tensor({300, 6}, 1, rng) + 30000, x = normal_tensor({40, 6}, 1, rng) + 30000;
  const NearestNeighbours neighbours(known.clone(), Numbers(300));
  EXPECT_EQ(numbers(neighbours.nearest(x, 3)), plain_nearest(known, x, 3));
}

TEST(Neighbours, BlocksAndThreadsChangeNothing) {
  Rng rng(5);
  const Tensor known = normal_tensor({700, 40}, 1, rng), x = normal_tensor({90, 40}, 1, rng);
  NearestNeighbours neighbours(known.clone(), Numbers(700));
  std::int64_t seen = 0;
  neighbours.after_block = [&](std::int64_t rows) { seen += rows; };
  auto on = [&](int count, std::int64_t block) {
    const Threads some(count);
    return neighbours.nearest(x, 5, block);
  };
  const Tensor whole = on(1, 90);
  expect_bit_equal(on(1, 7), whole, "blocks of 7");
  expect_bit_equal(on(1, 1), whole, "single rows");
  expect_bit_equal(on(3, 90), whole, "three threads");
  expect_bit_equal(on(2, 16), whole, "two threads, blocks of 16");
  EXPECT_EQ(seen, 5 * 90);
}

TEST(Neighbours, FewerRowsThanCandidates) {
  const NearestNeighbours neighbours(at::tensor({5.0F, 1.0F, 3.0F}).view({3, 1}), {0, 1, 2});
  EXPECT_EQ(numbers(neighbours.nearest(at::tensor({2.5F}).view({1, 1}), 3)), (Numbers{2, 1, 0}));
}

}  // namespace
}  // namespace deepgen::neighbours_test
