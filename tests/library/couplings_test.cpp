// Laws of couplings and of the parts that work on them, for a matrix and for weights that are shared by
// places: inputs and products against the bilinear form, centring against finite differences of an enumerated
// likelihood, the gauge and the limit of the gain.
#include "deepgen/parts/couplings/centring.h"
#include "deepgen/parts/couplings/gain_limit.h"
#include "deepgen/parts/couplings/softmax_gauge.h"
#include "tests/library/tried_couplings.h"

namespace deepgen::couplings_test {
namespace {

using namespace tried_couplings;

// ---------------------------------------------------------------- inputs and products

TEST(Couplings, InputsOfEitherSideArePlainProducts) {
  Rng rng(202);
  for (const Tried& c : all_couplings()) {
    const Tensor y = normal_tensor({6, c.coupling->lower()}, 1, rng),
                 h = normal_tensor({6, c.coupling->upper()}, 1, rng);
    Tensor up, down;
    c.coupling->input_to_upper(up, y);
    c.coupling->input_to_lower(down, h);
    expect_near(doubles(up), doubles(y.to(at::kDouble).mm(c.w())), 1e-5, c.name + " upper");
    expect_near(doubles(down), doubles(h.to(at::kDouble).mm(c.w().t())), 1e-5, c.name + " lower");
    const void *kept = up.data_ptr(), *kept_down = down.data_ptr();
    c.coupling->input_to_upper(up, y * 2);
    c.coupling->input_to_lower(down, h * 2);
    EXPECT_EQ(up.data_ptr(), kept) << c.name << ": the buffer was not used again";
    EXPECT_EQ(down.data_ptr(), kept_down) << c.name << ": the buffer was not used again";
    expect_near(doubles(up), doubles(y.to(at::kDouble).mm(c.w()) * 2), 1e-5, c.name + " again");
    c.coupling->input_to_upper(up, y.narrow(0, 0, 2));
    EXPECT_EQ(up.size(0), 2) << c.name;
  }
}

// A layer between two others, with a bias for each row: p(h_j = 1 | the rest) by the energy of both its
// states.
TEST(Couplings, ALayerWithTwoOfThemReceivesTheirSum) {
  Rng rng(203);
  const Tensor w = normal_tensor({5, 3}, 1, rng), u = normal_tensor({3, 2}, 1, rng);
  const DenseCoupling below(w), above(u);
  const UnitLayer middle = UnitLayer::of(UnitKind::binary, 3);
  const Tensor v = bits_tensor(7, 5, rng), top = bits_tensor(7, 2, rng), bias = normal_tensor({7, 3}, 1, rng);
  Tensor input;
  below.input_to_upper(input, v);
  above.input_to_lower(input, top, true);
  Tensor mean = at::empty_like(input);
  middle.activate(input, {bias, {}, {}}, 1, rng, {.mean = mean});
  for (std::int64_t r = 0; r < 7; ++r) {
    Doubles logs;
    const Tensor states = all_states(3);
    for (std::int64_t s = 0; s < 8; ++s) {
      const Tensor h = states[s];
      logs.push_back((v[r].dot(w.mv(h)) + h.dot(u.mv(top[r])) + h.dot(bias[r])).item<double>());
    }
    const Doubles p = probabilities(logs);
    for (std::int64_t j = 0; j < 3; ++j) {
      double on = 0;
      for (std::size_t s = 0; s < 8; ++s) on += static_cast<double>(s >> j & 1) * p[s];
      EXPECT_NEAR(mean[r][j].item<double>(), on, 1e-5) << r << " " << j;
    }
  }
}

TEST(Couplings, ProductsAreDerivativesOfTheEnergy) {
  Rng rng(204);
  for (const Tried& c : all_couplings()) {
    const Tensor y = normal_tensor({6, c.coupling->lower()}, 1, rng),
                 h = normal_tensor({6, c.coupling->upper()}, 1, rng);
    const Tensor leaf = c.coupling->weights().to(at::kDouble).clone().requires_grad_(true);
    (y.to(at::kDouble).mm(c.matrix(leaf)) * h.to(at::kDouble)).sum().backward();
    const Doubles all = doubles(leaf.grad());
    auto times = [&](double factor) {
      Doubles scaled = all;
      for (double& each : scaled) each *= factor;
      return scaled;
    };
    Tensor products = at::full_like(c.coupling->weights(), 99);
    c.coupling->add_products(products, y, h, -0.25, 0);  // data
    expect_near(doubles(products), times(-0.25), 1e-5, c.name);
    c.coupling->add_products(products, y, h, 0.5, 1);  // model
    expect_near(doubles(products), times(0.25), 1e-5, c.name + " added");
  }
}

TEST(Couplings, CarriesAreInputsUnderTheProducts) {
  Rng rng(205);
  for (const Tried& c : all_couplings()) {
    const std::int64_t lower = c.coupling->lower(), upper = c.coupling->upper();
    const Tensor y = normal_tensor({6, lower}, 1, rng), h = normal_tensor({6, upper}, 1, rng),
                 mu = normal_tensor({lower}, 1, rng), lambda = normal_tensor({upper}, 1, rng);
    Tensor products = at::zeros_like(c.coupling->weights());
    c.coupling->add_products(products, y, h, 0.3, 0);
    const Tensor p = c.matrix(products.to(at::kDouble));
    Carry carry{at::ones({lower}), at::ones({upper}), {}};
    c.coupling->add_carry(y, h, mu, lambda, 0.3, carry);
    expect_near(doubles(carry.lower), doubles(p.mv(lambda.to(at::kDouble)) + 1), 1e-5, c.name + " lower");
    expect_near(doubles(carry.upper), doubles(1 - p.t().mv(mu.to(at::kDouble))), 1e-5, c.name + " upper");
  }
}

TEST(Couplings, VectorsOfADenseOne) {
  Rng rng(206);
  const Tensor w = normal_tensor({40, 70}, 1, rng), p = normal_tensor({40, 70}, 1, rng),
               h = normal_tensor({70}, 1, rng);
  const DenseCoupling coupling(w);
  expect_near(doubles(coupling.input_of(h)), doubles(w.to(at::kDouble).mv(h.to(at::kDouble))), 1e-4, "W h");
  expect_near(doubles(coupling.weighted_products(p)), doubles((w.to(at::kDouble) * p.to(at::kDouble)).sum(1)),
              1e-4, "W P");
}

// ---------------------------------------------------------------- centring

// A machine of bits by sums over all states of the lower side, in double precision.
struct Enumerated {
  Tensor w, b, c, x;  // [N, M], [N], [M], rows of data

  Tensor log_unnormalised(const Tensor& v) const { return v.mv(b) + at::softplus(v.mm(w) + c, 1, 40).sum(1); }
  Tensor states() const { return all_states(w.size(0)).to(at::kDouble); }
  Tensor probabilities() const { return log_unnormalised(states()).softmax(0); }
  double objective() const {  // minus the mean log-likelihood
    return at::logsumexp(log_unnormalised(states()), 0).item<double>() -
           log_unnormalised(x).mean().item<double>();
  }
  Tensor hidden(const Tensor& v) const { return (v.mm(w) + c).sigmoid(); }
};

struct CentredGradient {
  Tensor weights, b, c;  // of the plain parameters
};

// What the parts make of the exact statistics: the data's rows with share -1/n, each state with its
// probability.
CentredGradient by_parts(const Tried& c, const Enumerated& m, const Tensor& mu, const Tensor& lambda) {
  CentredGradient g{at::zeros_like(c.coupling->weights()), {}, {}};
  const Tensor states = m.states(), p = m.probabilities();
  g.c = (m.hidden(states).t().mv(p) - m.hidden(m.x).mean(0)).to(at::kFloat);
  Centring centring;
  centring.begin(mu, lambda);
  auto add = [&](const Tensor& v, double share, double keep) {
    centring.add_products(*c.coupling, g.weights, v.to(at::kFloat), m.hidden(v).to(at::kFloat), share, keep,
                          g.c);
  };
  add(m.x, -1 / real(m.x.size(0)), 0);
  for (std::int64_t s = 0; s < states.size(0); ++s) add(states.narrow(0, s, 1), p[s].item<double>(), 1);
  g.b = (states.t().mv(p) - m.x.mean(0)).to(at::kFloat) - centring.dw_lambda();
  return g;
}

Enumerated machine_of(const Tried& c) {
  Rng rng(207);
  const Tensor b = normal_tensor({c.coupling->lower()}, 0.5, rng),
               h = normal_tensor({c.coupling->upper()}, 0.5, rng);
  return {c.w(), b.to(at::kDouble), h.to(at::kDouble),
          bits_tensor(9, c.coupling->lower(), rng, 0.4).to(at::kDouble)};
}

// d objective / d element, each element of each of the tensors that `of` makes a machine from.
std::vector<Doubles> differences(const std::vector<Tensor>& at_values,
                                 const std::function<Enumerated(const std::vector<Tensor>&)>& of) {
  constexpr double step = 1e-5;
  std::vector<Doubles> all;
  std::vector<Tensor> values;
  for (const Tensor& value : at_values) values.push_back(value.clone());
  for (Tensor& value : values) {
    Doubles slopes;
    for (std::int64_t i = 0; i < value.numel(); ++i) {
      double& element = value.data_ptr<double>()[i];
      const double kept = element;
      element = kept + step;
      const double up = of(values).objective();
      element = kept - step;
      const double down = of(values).objective();
      element = kept;
      slopes.push_back((up - down) / (2 * step));
    }
    all.push_back(slopes);
  }
  return all;
}

TEST(Centring, WithOffsetsOfZeroIsThePlainGradient) {
  for (const Tried& c : all_couplings()) {
    const Enumerated m = machine_of(c);
    const CentredGradient ours =
        by_parts(c, m, at::zeros({c.coupling->lower()}), at::zeros({c.coupling->upper()}));
    const std::vector<Doubles> plain =
        differences({c.coupling->weights().to(at::kDouble), m.b, m.c}, [&](const std::vector<Tensor>& v) {
          return Enumerated{c.matrix(v[0]), v[1], v[2], m.x};
        });
    expect_near(doubles(ours.weights), plain[0], 1e-5, c.name + " weights");
    expect_near(doubles(ours.b), plain[1], 1e-5, c.name + " b");
    expect_near(doubles(ours.c), plain[2], 1e-5, c.name + " c");
  }
}

// Steps of the centred parameters by finite differences of the objective in them, carried back by hand:
//
//   b = b' - W lambda,   c = c' - W^T mu,   db = db' - dW lambda,   dc = dc' - dW^T mu.
TEST(Centring, IsTheGradientOfTheCentredParametersCarriedBack) {
  Rng rng(208);
  for (const Tried& c : all_couplings()) {
    const Enumerated m = machine_of(c);
    const Tensor mu = normal_tensor({c.coupling->lower()}, 0.3, rng) + 0.5,
                 lambda = normal_tensor({c.coupling->upper()}, 0.3, rng) + 0.5;
    const Tensor mu64 = mu.to(at::kDouble), lambda64 = lambda.to(at::kDouble);
    const Tensor b = m.b + m.w.mv(lambda64), h = m.c + m.w.t().mv(mu64);
    const std::vector<Doubles> centred =
        differences({c.coupling->weights().to(at::kDouble), b, h}, [&](const std::vector<Tensor>& v) {
          const Tensor w = c.matrix(v[0]);
          return Enumerated{w, v[1] - w.mv(lambda64), v[2] - w.t().mv(mu64), m.x};
        });
    const Tensor dw = c.matrix(at::tensor(centred[0], at::kDouble).view(c.coupling->weights().sizes()));
    const CentredGradient ours = by_parts(c, m, mu, lambda);
    expect_near(doubles(ours.weights), centred[0], 2e-5, c.name + " weights");
    expect_near(doubles(ours.b), doubles(at::tensor(centred[1], at::kDouble) - dw.mv(lambda64)), 2e-5,
                c.name + " b");
    expect_near(doubles(ours.c), doubles(at::tensor(centred[2], at::kDouble) - dw.t().mv(mu64)), 2e-5,
                c.name + " c");
    const CentredGradient plain =
        by_parts(c, m, at::zeros({c.coupling->lower()}), at::zeros({c.coupling->upper()}));
    EXPECT_FALSE(at::allclose(ours.weights, plain.weights, 1e-3, 1e-3)) << c.name << ": offsets do nothing";
  }
}

TEST(Centring, RowsOfWeightsAreScaled) {
  Rng rng(209);
  const DenseCoupling coupling(normal_tensor({places, 3}, 1, rng));
  const Tensor y = normal_tensor({6, places}, 1, rng), h = normal_tensor({6, 3}, 1, rng),
               mu = normal_tensor({places}, 1, rng), lambda = normal_tensor({3}, 1, rng),
               scale = at::tensor({1.0F, 0.5F, 0.25F, 2.0F});
  Tensor plain = at::zeros({places, 3}), scaled = at::zeros({places, 3}), dc = at::zeros({3});
  Centring centring;
  centring.begin(mu, lambda);
  centring.add_products(coupling, plain, y, h, 0.5, 0, dc);
  dc.zero_();
  centring.begin(mu, lambda, scale);
  centring.add_products(coupling, scaled, y, h, 0.5, 0, dc);
  expect_near(doubles(scaled), doubles(plain * scale.unsqueeze(1)), 1e-5, "dW");
  expect_near(doubles(centring.dw_lambda()), doubles(scaled.mv(lambda)), 1e-5, "dW lambda");
  expect_near(doubles(dc), doubles(-scaled.t().mv(mu)), 1e-5, "-dW^T mu");
}

TEST(Centring, OffsetsFollowMeans) {
  Tensor offset = at::tensor({1.0F, 0.0F});
  follow_mean(offset, at::tensor({-0.5F, -2.0F}), 0.1);
  expect_near(doubles(offset), {0.95, 0.2}, 1e-6, "offset");
}

// ---------------------------------------------------------------- gain

UnitLayer unbounded(UnitKind kind, std::int64_t units) { return UnitLayer::of(kind, units); }

void apply_often(GainLimit& limit, const Coupling& coupling, std::int64_t steps) {
  Rng rng(210);
  Tensor followed = limit.random_directions(coupling.upper(), rng);
  EXPECT_EQ(followed.sizes(), at::IntArrayRef({GainLimit::directions, coupling.upper()}));
  for (std::int64_t step = 0; step < steps; ++step) limit.apply(coupling, followed, step);
}

TEST(GainLimit, IsNeededWhereBothSidesGrowWithoutBound) {
  const UnitLayer bits = unbounded(UnitKind::binary, 3), reals = unbounded(UnitKind::gaussian, 3),
                  rectified = unbounded(UnitKind::rectified, 3);
  EXPECT_FALSE(GainLimit(bits, reals).needed());
  EXPECT_FALSE(GainLimit(reals, bits).needed());
  EXPECT_TRUE(GainLimit(reals, rectified).needed());
  EXPECT_TRUE(GainLimit(rectified, rectified).needed());
  Tensor w = at::full({3, 3}, 100.0);
  EXPECT_EQ(GainLimit(bits, reals).largest_gain(DenseCoupling(w), 10, 2), 0);
}

// Of Gaussian units it is the largest singular value.
TEST(GainLimit, TheLargestGainOfGaussianUnitsIsTheSpectralNorm) {
  Rng rng(211);
  const UnitLayer lower = unbounded(UnitKind::gaussian, places);
  for (const Tried& c : all_couplings()) {
    const GainLimit limit(lower, unbounded(UnitKind::gaussian, c.coupling->upper()));
    const double norm = std::get<1>(at::linalg_svd(c.w())).max().item<double>();
    EXPECT_NEAR(limit.largest_gain(*c.coupling, 300, 8), norm, 1e-3 * norm) << c.name;
  }
}

// Weights along one direction alone: a single update takes out the excess and nothing else.
TEST(GainLimit, TakesTheExcessOutOfOneDirection) {
  const UnitLayer lower = unbounded(UnitKind::gaussian, places);
  const Tensor u = at::tensor({0.5F, -0.5F, 0.5F, 0.5F}), v = at::tensor({0.6F, 0.0F, -0.8F});
  const DenseCoupling dense(3 * at::outer(u, v));
  GainLimit of_dense(lower, unbounded(UnitKind::gaussian, 3));
  apply_often(of_dense, dense, 1);
  expect_near(doubles(dense.weights()), doubles(GainLimit::limit * at::outer(u, v)), 1e-4, "dense");
  const RingCoupling ring(at::full({places}, 3.0 / places));  // all units alike
  GainLimit of_ring(lower, lower);
  apply_often(of_ring, ring, 1);
  expect_near(doubles(ring.weights()), Doubles(size(places), GainLimit::limit / real(places)), 1e-4, "ring");
}

TEST(GainLimit, BringsTheGainDownAndLeavesSmallerOnesAlone) {
  const UnitLayer lower = unbounded(UnitKind::gaussian, places);
  for (const UnitKind kind : {UnitKind::gaussian, UnitKind::rectified})
    for (const Tried& c : all_couplings()) {
      GainLimit limit(lower, unbounded(kind, c.coupling->upper()));
      Tensor weights = c.coupling->weights();
      weights.mul_(0.95 / limit.largest_gain(*c.coupling, 300, 32));
      const Tensor small = weights.clone();
      apply_often(limit, *c.coupling, 300);
      expect_bit_equal(weights, small, c.name + ", gain below the limit");
      weights.mul_(3);
      apply_often(limit, *c.coupling, 900);
      EXPECT_LE(limit.largest_gain(*c.coupling, 300, 32), GainLimit::limit + 0.005) << c.name;
      EXPECT_GT(limit.largest_gain(*c.coupling, 300, 32), 0.9)
          << c.name << ": more than the excess was taken";
    }
}

// ---------------------------------------------------------------- gauge

// Energies of all pairs of one-hot states of the lower and states of the upper side stay as they are.
TEST(SoftmaxGauge, LeavesEnergiesUnchanged) {
  Rng rng(212);
  const UnitLayer lower({{UnitKind::softmax, 0, 3}, {UnitKind::binary, 3, 1}});
  const UnitLayer upper = UnitLayer::of(UnitKind::softmax, 4, 2);
  Tensor w = normal_tensor({4, 4}, 1, rng), b = normal_tensor({4}, 1, rng), c = normal_tensor({4}, 1, rng);
  auto possible = [](const UnitLayer& layer) {
    std::vector<Tensor> rows;
    const Tensor states = all_states(layer.size());
    for (std::int64_t s = 0; s < states.size(0); ++s)
      if (PlainRbm::possible(layer, s)) rows.push_back(states[s]);
    return at::stack(rows);
  };
  const Tensor y = possible(lower), h = possible(upper);
  auto energies = [&] { return -(y.mm(w).mm(h.t()) + y.mv(b).unsqueeze(1) + h.mv(c).unsqueeze(0)); };
  const Tensor before = energies(), w_before = w.clone();
  ASSERT_EQ(before.sizes(), at::IntArrayRef({6, 4}));
  take_group_means(w, lower, Side::lower, [&](const Tensor& mean) { c.add_(mean); });
  take_group_means(w, upper, Side::upper, [&](const Tensor& mean) { b.add_(mean); });
  expect_near(doubles(energies()), doubles(before), 1e-5, "energies");
  EXPECT_FALSE(at::allclose(w, w_before));
  EXPECT_LT(w.narrow(0, 0, 3).mean(0).abs().max().item<double>(), 1e-6);
  EXPECT_LT(w.narrow(1, 0, 2).mean(1).abs().max().item<double>(), 1e-6);
  EXPECT_LT(w.narrow(1, 2, 2).mean(1).abs().max().item<double>(), 1e-6);
}

}  // namespace
}  // namespace deepgen::couplings_test
