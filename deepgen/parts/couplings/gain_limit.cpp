#include "deepgen/parts/couplings/gain_limit.h"

namespace deepgen {
namespace {

Tensor unit_rows(const Tensor& x) { return x / x.norm(2, {1}, true).clamp_min(1e-30); }

Tensor normal_rows(std::int64_t rows, std::int64_t columns, Rng& rng) {
  Tensor x = at::empty({rows, columns});
  for (std::int64_t i = 0; i < x.numel(); ++i) x.data_ptr<float>()[i] = static_cast<float>(rng.normal());
  return x;
}

}  // namespace

UnboundedUnits::UnboundedUnits(const UnitLayer& layer)
    : any_(layer.any(Growth::quadratic)),
      gaussian_(layer.columns_of(UnitKind::gaussian).to(at::kFloat)),
      rectified_(layer.columns_of(UnitKind::rectified).to(at::kFloat)) {}

Tensor GainLimit::random_directions(std::int64_t upper_units, Rng& rng) const {
  return unit_rows(upper_.project(normal_rows(directions, upper_units, rng)));
}

// A third of the directions at a time, as weights move little in three updates. One after the other begins
// anew, since with rectified units the gain has many local maxima.
void GainLimit::apply(const Coupling& coupling, Tensor& followed, std::int64_t step) {
  constexpr std::int64_t restart_every = 10, at_once = 4;
  if (step % restart_every == 0) {
    Rng rng(static_cast<std::uint64_t>(step));
    followed.narrow(0, step / restart_every % directions, 1)
        .copy_(unit_rows(upper_.project(normal_rows(1, coupling.upper(), rng))));
  }
  Tensor some = followed.narrow(0, step * at_once % directions, at_once);
  coupling.input_to_lower(y_, some);
  y_ = unit_rows(lower_.project(y_));
  coupling.input_to_upper(h_, y_);
  const Tensor next = upper_.project(h_);
  const Tensor gains = next.norm(2, {1});
  some.copy_(unit_rows(next));
  const std::int64_t best = gains.argmax().item<std::int64_t>();
  const double gain = gains[best].item<double>();
  if (gain > limit) coupling.lower_gain(y_.narrow(0, best, 1), some.narrow(0, best, 1), gain - limit);
}

double GainLimit::largest_gain(const Coupling& coupling, int rounds, int starts) const {
  if (!needed()) return 0;
  Rng rng(17);
  Tensor h = unit_rows(upper_.project(normal_rows(starts, coupling.upper(), rng)));
  Tensor y, gain = at::zeros({starts});
  for (int k = 0; k < rounds; ++k) {
    coupling.input_to_lower(y, h);
    y = unit_rows(lower_.project(y));
    coupling.input_to_upper(h, y);
    h = upper_.project(h);
    gain = h.norm(2, {1});
    h = unit_rows(h);
  }
  return gain.max().item<double>();
}

}  // namespace deepgen
