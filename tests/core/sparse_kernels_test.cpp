// Lists of what is not zero, and products by them: every variant against plain loops, to the bit.
#include <cmath>

#include "deepgen/kernels/sparse_passes.h"
#include "tests/core/kernel_inputs.h"

namespace deepgen::sparse_kernels_test {
namespace {

using namespace kernel_tests;

enum class Entries { bits, numbers };

// About `share` of the entries are not zero; negative zeros are zeros.
Floats mostly_zeros(std::int64_t n, double share, Entries entries, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<double> uniform(0, 1);
  Floats result(size(n));
  for (float& x : result) {
    x = uniform(generator) < 0.5 ? 0.0F : -0.0F;
    if (uniform(generator) >= share) continue;
    x = entries == Entries::bits ? 1.0F : static_cast<float>(uniform(generator) - 0.5);
  }
  return result;
}

struct Listed {
  std::vector<std::int32_t> place, length;
  Floats value;
  std::int64_t capacity;
  bool ones;
};

Listed list(const SparsePasses& passes, const Floats& matrix, std::int64_t rows, std::int64_t columns,
            bool by_columns, std::int64_t cut) {
  const std::int64_t lists = by_columns ? columns : rows;
  Listed made;
  made.capacity = (by_columns ? rows : columns) + list_slack;
  made.place.resize(size(lists * made.capacity)), made.length.resize(size(lists));
  made.value.resize(made.place.size());
  const NonzeroLists wanted{.matrix = matrix.data(),
                            .rows = rows,
                            .columns = columns,
                            .stride = columns,
                            .by_columns = by_columns,
                            .capacity = made.capacity,
                            .place = made.place.data(),
                            .value = made.value.data(),
                            .length = made.length.data()};
  const bool first = passes.list_nonzeros(wanted, 0, cut), second = passes.list_nonzeros(wanted, cut, lists);
  made.ones = first && second;
  return made;
}

class SparseKernels : public KernelVariant {
 protected:
  void SetUp() override { use_kernels(GetParam()); }
  void TearDown() override { use_kernels(available_kernels().back()); }
};

INSTANTIATE_TEST_SUITE_P(Kernels, SparseKernels, ::testing::ValuesIn(available_kernels()),
                         [](const auto& about) { return about.param; });

TEST_P(SparseKernels, ListsHoldWhatIsNotZeroInOrder) {
  each_shape([&](std::int64_t rows, std::int64_t columns) {
    for (const Entries entries : {Entries::bits, Entries::numbers})
      for (const bool by_columns : {false, true}) {
        const Floats matrix = mostly_zeros(rows * columns, 0.3, entries, 7);
        const std::int64_t lists = by_columns ? columns : rows;
        const Listed made = list(sparse_passes(), matrix, rows, columns, by_columns, lists / 3);
        bool ones = true;
        for (std::int64_t at = 0; at < lists; ++at) {
          std::int32_t length = 0;
          for (std::int64_t i = 0; i < (by_columns ? rows : columns); ++i) {
            const float x = matrix[size(by_columns ? i * columns + at : at * columns + i)];
            if (x == 0) continue;
            ones = ones && x == 1;
            ASSERT_EQ(made.place[size(at * made.capacity + length)], i);
            ASSERT_EQ(made.value[size(at * made.capacity + length)], x);
            ++length;
          }
          ASSERT_EQ(made.length[size(at)], length);
        }
        ASSERT_EQ(made.ones, ones);
      }
  });
}

TEST_P(SparseKernels, ANumberThatIsNoneIsListed) {
  Floats matrix(40, 0.0F);
  matrix[3] = NAN, matrix[39] = INFINITY;
  const Listed made = list(sparse_passes(), matrix, 2, 20, false, 1);
  EXPECT_EQ(made.length[0], 1);
  EXPECT_EQ(made.length[1], 1);
  EXPECT_TRUE(std::isnan(made.value[0]));
  EXPECT_FALSE(made.ones);
}

// Whatever the cut into rows and columns, with and without values, keep and shift.
TEST_P(SparseKernels, ProductsEqualPlainLoopsToTheBit) {
  constexpr std::int64_t inner = 40, out_columns = 800;
  each_shape([&](std::int64_t rows, std::int64_t columns) {
    for (const Entries entries : {Entries::bits, Entries::numbers})
      for (const bool rich : {false, true}) {  // with a shift and what was there
        const Floats matrix = mostly_zeros(rows * inner, 0.3, entries, 3);
        const Floats dense = random_floats(inner * columns, 1, 5), across = random_floats(columns, 1, 6);
        const Floats shift = random_floats(rows, 1, 8), before = random_floats(rows * out_columns, 1, 9);
        const Listed made = list(reference_sparse_passes, matrix, rows, inner, false, 0);
        SparseProduct product{.place = made.place.data(),
                              .length = made.length.data(),
                              .value = made.ones ? nullptr : made.value.data(),
                              .capacity = made.capacity,
                              .dense = dense.data(),
                              .dense_stride = columns,
                              .first = 16,
                              .columns = columns,
                              .shift = rich ? shift.data() : nullptr,
                              .across = across.data(),
                              .out = nullptr,
                              .out_stride = out_columns,
                              .scale = 0.75F,
                              .keep = rich ? 0.5F : 0.0F};
        Floats expected = before, got = before;
        product.out = expected.data();
        reference_sparse_passes.sparse_product(product, 0, rows);
        product.out = got.data();
        sparse_passes().sparse_product(product, 0, rows / 2);
        sparse_passes().sparse_product(product, rows / 2, rows);
        for (std::size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], expected[i]) << i;
        product.out = got.data(), got = before;  // the same in two parts of the columns
        product.columns = columns / 2;
        sparse_passes().sparse_product(product, 0, rows);
        product.first += product.columns, product.dense += product.columns, product.across += product.columns;
        product.columns = columns - product.columns;
        sparse_passes().sparse_product(product, 0, rows);
        for (std::size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], expected[i]) << i;
      }
  });
}

// The plain loops themselves, against sums in float64.
TEST(SparseReference, IsTheProduct) {
  constexpr std::int64_t rows = 5, inner = 90, columns = 7;
  const Floats matrix = mostly_zeros(rows * inner, 0.3, Entries::numbers, 3);
  const Floats dense = random_floats(inner * columns, 1, 5), across = random_floats(columns, 1, 6);
  const Floats shift = random_floats(rows, 1, 8);
  Floats out(size(rows * columns), 2.0F);
  const Listed made = list(reference_sparse_passes, matrix, rows, inner, false, 0);
  reference_sparse_passes.sparse_product({.place = made.place.data(),
                                          .length = made.length.data(),
                                          .value = made.value.data(),
                                          .capacity = made.capacity,
                                          .dense = dense.data(),
                                          .dense_stride = columns,
                                          .first = 0,
                                          .columns = columns,
                                          .shift = shift.data(),
                                          .across = across.data(),
                                          .out = out.data(),
                                          .out_stride = columns,
                                          .scale = 3,
                                          .keep = -1},
                                         0, rows);
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t j = 0; j < columns; ++j) {
      double sum = -static_cast<double>(shift[size(r)]) * across[size(j)];
      for (std::int64_t k = 0; k < inner; ++k)
        sum += static_cast<double>(matrix[size(r * inner + k)]) * dense[size(k * columns + j)];
      EXPECT_NEAR(out[size(r * columns + j)], 3 * sum - 2, 1e-4);
    }
}

}  // namespace
}  // namespace deepgen::sparse_kernels_test
