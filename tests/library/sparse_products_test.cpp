// Products of bits, one-hot groups and other factors of mostly zeros: equal to the dense ones within rounding,
// the same bits for any number of threads and any kernels, and chosen by the values alone.
#include <gtest/gtest.h>

#include "deepgen/kernels/kernels.h"
#include "deepgen/ops/products.h"
#include "deepgen/ops/sparse_products.h"
#include "tests/library/machines.h"

namespace deepgen::sparse_products_test {
namespace {

using namespace machines;

struct Shape {
  std::int64_t rows, inner, columns;
};
const Shape shapes[] = {{100, 784, 500}, {7, 300, 65}, {333, 100, 49}, {1, 2000, 64}, {1500, 900, 24}};

Tensor bits(std::int64_t rows, std::int64_t columns, double share) {
  return (at::rand({rows, columns}) < share).to(at::kFloat);
}

Tensor mostly_zeros(std::int64_t rows, std::int64_t columns) {
  return bits(rows, columns, 0.2) * at::randn({rows, columns});
}

ProductViews views(const Tensor& a, const Tensor& b, Tensor& out) {
  return {.rows = a.size(0),
          .inner = a.size(1),
          .columns = b.size(1),
          .a = a.data_ptr<float>(),
          .a_stride = a.size(1),
          .a_transposed = false,
          .b = b.data_ptr<float>(),
          .b_stride = b.size(1),
          .b_transposed = false,
          .out = out.data_ptr<float>()};
}

void expect_product(const Tensor& got, const Tensor& a, const Tensor& b, double scale, double keep,
                    const Tensor& before) {
  const Tensor expected =
      before.to(at::kDouble) * keep + at::mm(a.to(at::kDouble), b.to(at::kDouble)) * scale;
  const Tensor size = at::mm(a.abs().to(at::kDouble), b.abs().to(at::kDouble)) * std::abs(scale) +
                      before.abs().to(at::kDouble) * std::abs(keep);
  const double worst = ((got - expected).abs() / (size + 1e-3)).max().item<double>();
  EXPECT_LT(worst, 4e-6);
}

class SparseProducts : public ::testing::Test {
 protected:
  void SetUp() override { at::manual_seed(5); }
  void TearDown() override {
    set_threads(threads_before);
    use_kernels(available_kernels().back());
  }
  const int threads_before = threads();
};

TEST_F(SparseProducts, EqualTheDenseOnes) {
  for (const Shape& s : shapes)
    for (const bool numbers : {false, true})
      for (const bool a_transposed : {false, true})
        for (const bool b_transposed : {false, true}) {
          SCOPED_TRACE(::testing::Message() << s.rows << " " << s.inner << " " << s.columns << numbers
                                            << a_transposed << b_transposed);
          Tensor a = numbers ? mostly_zeros(s.rows, s.inner) : bits(s.rows, s.inner, 0.15);
          Tensor b = at::randn({s.inner, s.columns});
          if (a_transposed) a = a.t().contiguous().t();
          if (b_transposed) b = b.t().contiguous().t();
          const Tensor before = at::randn({s.rows, s.columns});
          Tensor out = before.clone();
          multiply(out, a, b, 1.5, 0.5);
          expect_product(out, a, b, 1.5, 0.5, before);
          out = at::full({s.rows, s.columns}, NAN);  // what is there does not count
          multiply(out, a, b);
          expect_product(out, a, b, 1, 0, at::zeros_like(out));
        }
}

TEST_F(SparseProducts, AreEqualToTheBitForAnyThreadsAndKernels) {
  for (const Shape& s : shapes) {
    const Tensor a = mostly_zeros(s.rows, s.inner), b = at::randn({s.inner, s.columns});
    const Tensor h = at::randn({s.rows, s.columns});
    Tensor first, first_gradient;
    for (const std::string& name : available_kernels())
      for (const int count : {1, 2, 3}) {
        use_kernels(name);
        set_threads(count);
        Tensor out = at::empty({s.rows, s.columns}), gradient = at::empty({s.inner, s.columns});
        multiply_lists(views(a, b, out));
        ProductViews back = views(a, h, gradient);
        back.a_transposed = true, back.rows = s.inner, back.inner = s.rows;
        multiply_lists(back);
        if (!first.defined()) first = out, first_gradient = gradient;
        EXPECT_TRUE(at::equal(out, first)) << name << " " << count;
        EXPECT_TRUE(at::equal(gradient, first_gradient)) << name << " " << count;
      }
  }
}

TEST_F(SparseProducts, AreChosenByDensity) {
  Tensor out = at::empty({100, 500});
  const Tensor b = at::randn({784, 500});
  EXPECT_TRUE(worth_lists(views(bits(100, 784, 0.13), b, out)));
  EXPECT_FALSE(worth_lists(views(bits(100, 784, 0.6), b, out)));
  EXPECT_FALSE(worth_lists(views(at::randn({100, 784}), b, out)));
  EXPECT_FALSE(worth_lists(views(bits(2, 4, 0.1), at::randn({4, 500}), out)));  // too small to be worth it
}

TEST_F(SparseProducts, AShiftIsTakenFromEveryRow) {
  for (const double share : {0.15, 0.8}) {  // by lists, and dense
    const Tensor y = bits(100, 300, share), mu = at::rand({300}), h = at::randn({100, 70});
    const Tensor before = at::randn({300, 70});
    Tensor out = before.clone();
    multiply_shifted(out, y.t(), mu, h, -0.5, 2);
    expect_product(out, y.t() - mu.unsqueeze(1), h, -0.5, 2, before);
  }
}

TEST_F(SparseProducts, ManyRowsAreTakenInParts) {
  const Tensor a = bits(3000, 1000, 0.05),
               b = at::randn({1000, 20});  // more entries than lists hold at a time
  Tensor out = at::empty({3000, 20});
  multiply(out, a, b);
  expect_product(out, a, b, 1, 0, at::zeros_like(out));
}

}  // namespace
}  // namespace deepgen::sparse_products_test
