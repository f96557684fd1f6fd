// Float64 products against those of torch, on views of every kind, and the same to the bit on any number of
// threads.
#include "deepgen/ops/products64.h"

#include "tests/library/machines.h"

namespace deepgen::products64_test {
namespace {

using namespace machines;

struct Sizes {
  std::int64_t m, k, n;
};
std::ostream& operator<<(std::ostream& out, const Sizes& s) {
  return out << s.m << " x " << s.k << " x " << s.n;
}

Tensor numbers(std::int64_t rows, std::int64_t columns, Rng& rng) {
  Tensor t = at::empty({rows, columns}, at::kDouble);
  for (std::int64_t i = 0; i < t.numel(); ++i) t.data_ptr<double>()[i] = rng.normal();
  return t;
}

// The same matrix as others may hold it: dense, as the view of a transpose, with gaps between its rows, and the
// transpose of such a view.
std::vector<Tensor> views_of(const Tensor& x) {
  Tensor wide = at::full({x.size(0), x.size(1) + 3}, 99.0, at::kDouble);
  wide.narrow(1, 1, x.size(1)).copy_(x);
  Tensor tall = at::full({x.size(1), x.size(0) + 2}, 99.0, at::kDouble);
  tall.narrow(1, 2, x.size(0)).copy_(x.t());
  return {x, x.t().contiguous().t(), wide.narrow(1, 1, x.size(1)), tall.narrow(1, 2, x.size(0)).t()};
}

class Products64 : public ::testing::TestWithParam<Sizes> {
 protected:
  void SetUp() override {
    Rng rng(31);
    a = numbers(GetParam().m, GetParam().k, rng), b = numbers(GetParam().k, GetParam().n, rng);
    before = numbers(GetParam().m, GetParam().n, rng);
  }
  double tolerance() const { return 1e-14 * real(GetParam().k + 10); }

  Tensor a, b, before;
};

INSTANTIATE_TEST_SUITE_P(Sizes, Products64,
                         ::testing::Values(Sizes{1, 1, 1}, Sizes{3, 5, 2}, Sizes{1, 40, 7}, Sizes{17, 1, 33},
                                           Sizes{10, 128, 126}, Sizes{64, 64, 64}, Sizes{70, 90, 200},
                                           Sizes{33, 129, 413}, Sizes{200, 300, 191}, Sizes{0, 4, 3}),
                         [](const auto& about) { return "Case" + std::to_string(about.index); });

TEST_P(Products64, EqualThoseOfTorchWhateverTheViews) {
  const Tensor wanted = a.mm(b);
  for (const Tensor& left : views_of(a))
    for (const Tensor& right : views_of(b)) {
      Tensor ours = at::full_like(wanted, std::nan(""));  // what is not kept is not read
      multiply64(ours, left, right);
      expect_near(doubles(ours), doubles(wanted), tolerance(), "a b");
      Tensor added = before.clone();
      multiply64(added, left, right, -0.7, 0.3);
      expect_near(doubles(added), doubles(0.3 * before - 0.7 * wanted), 2 * tolerance(), "scaled and kept");
    }
}

TEST_P(Products64, EqualTheirTwin) {
  Tensor ours = before.clone(), twin = before.clone();
  multiply64(ours, a, b, 1.5, -1);
  composed::multiply64(twin, a, b, 1.5, -1);
  expect_near(doubles(ours), doubles(twin), 3 * tolerance(), "twin");
}

TEST_P(Products64, ThreadsChangeNothing) {
  auto all = [&] {
    std::vector<Tensor> results;
    for (const Tensor& left : views_of(a))
      for (const Tensor& right : views_of(b)) {
        results.push_back(before.clone());
        multiply64(results.back(), left, right, 1, 1);
      }
    return results;
  };
  std::vector<Tensor> one;
  {
    const Threads threads(1);
    one = all();
  }
  for (const int count : {2, 3}) {
    const Threads threads(count);
    const std::vector<Tensor> several = all();
    for (std::size_t i = 0; i < one.size(); ++i)
      expect_bit_equal(one[i], several[i], "views " + std::to_string(i) + ", " + std::to_string(count));
  }
}

// ---------------------------------------------------------------- within shared work

TEST(Products64Alone, MultiplySolveAndSquareAsTheyAreWritten) {
  Rng rng(37);
  const std::int64_t rows = 150, d = 21;
  const Tensor x = numbers(rows, d, rng), y = numbers(d, 5, rng);
  const Tensor lower = at::tril(numbers(d, d, rng), -1) * 0.3 + at::eye(d, at::kDouble) * 1.5;
  Tensor product = at::ones({rows, 5}, at::kDouble), solved = x.clone();
  Tensor squares = at::full({d, d}, 2.0, at::kDouble);
  const Tensor filled = lower + at::triu(numbers(d, d, rng), 1);  // above the diagonal is not read
  share_items(1, [&](std::int64_t, int) {
    multiply_alone64({x.data_ptr<double>(), rows, d, d}, {y.data_ptr<double>(), d, 5, 5},
                     product.data_ptr<double>(), 5, true);
    solve_rows_alone64(filled.data_ptr<double>(), d, solved.data_ptr<double>(), rows);
    add_squares_alone64(x.data_ptr<double>(), rows, d, squares.data_ptr<double>());
  });
  expect_near(doubles(product), doubles(x.mm(y) + 1), 1e-12, "product");
  expect_near(doubles(solved.mm(lower.t())), doubles(x), 1e-11, "L z = x");
  expect_near(doubles(at::tril(squares)), doubles(at::tril(x.t().mm(x) + 2)), 1e-11, "squares");
  expect_near(doubles(at::triu(squares, 1)), doubles(at::triu(at::full({d, d}, 2.0, at::kDouble), 1)), 0,
              "above the diagonal");
}

}  // namespace
}  // namespace deepgen::products64_test
