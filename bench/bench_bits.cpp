// Products of bits by lists of the ones, against the dense ones, by the share of ones: where does a list pay?
#include <fmt/format.h>

#include "bench/harness.h"
#include "deepgen/ops/products.h"
#include "deepgen/ops/sparse_products.h"

namespace deepgen::bench {
namespace {

constexpr std::int64_t rows = 100, lower = 784, upper = 500;

Tensor bits(std::int64_t columns, double share) { return (at::rand({rows, columns}) < share).to(at::kFloat); }

ProductViews views(const Tensor& a, bool a_transposed, const Tensor& b, bool b_transposed, Tensor& out) {
  return {.rows = out.size(0),
          .inner = a_transposed ? a.size(0) : a.size(1),
          .columns = out.size(1),
          .a = a.data_ptr<float>(),
          .a_stride = a.size(1),
          .a_transposed = a_transposed,
          .b = b.data_ptr<float>(),
          .b_stride = b.size(1),
          .b_transposed = b_transposed,
          .out = out.data_ptr<float>()};
}

void compare(double share) {
  const Tensor v = bits(lower, share), h = bits(upper, share), g = at::randn({rows, upper});
  const Tensor w = at::randn({lower, upper});
  Tensor up = at::empty({rows, upper}), down = at::empty({rows, lower}), gradient = at::empty({lower, upper});
  Tensor dense_up = at::empty_like(up), dense_down = at::empty_like(down),
         dense_gradient = at::empty_like(gradient);
  const ProductViews a = views(v, false, w, false, up), b = views(h, false, w, true, down),
                     c = views(v, true, g, false, gradient);
  Comparison all(fmt::format("100 x 784 x 500, {:.0f} % ones", 100 * share));
  all.add("v W", [&] { multiply_lists(a); });
  all.add("v W dense", [&] { composed::multiply(dense_up, v, w); });
  all.add("h W^T", [&] { multiply_lists(b); });
  all.add("h W^T dense", [&] { composed::multiply(dense_down, h, w.t()); });
  all.add("v^T g", [&] { multiply_lists(c); });
  all.add("v^T g dense", [&] { composed::multiply(dense_gradient, v.t(), g); });
  all.run();
  require(at::allclose(up, dense_up, 1e-4, 1e-3) && at::allclose(down, dense_down, 1e-4, 1e-3) &&
              at::allclose(gradient, dense_gradient, 1e-4, 1e-3),
          "products by lists differ from the dense ones");
  for (const char* name : {"v W", "h W^T", "v^T g"}) all.ratio(name, std::string(name) + " dense", 0, false);
}

const Registration density("bits", [] {
  for (const double share : {0.05, 0.13, 0.2, 0.3, 0.4, 0.5}) compare(share);
});

}  // namespace
}  // namespace deepgen::bench
