// training.learning=ratio_matching and score_matching: gradients against automatic differentiation of the published
// objectives in float64, and objectives that are minimal at the truth.
#include "tests/library/runs.h"

namespace deepgen::rbm_matching_test {
namespace {

using namespace machines;
using namespace runs;

RbmLearning rule(const std::string& how, bool centring) {
  RbmLearning learning;
  learning.learning = how, learning.centring = centring, learning.offset_rate = 0;
  return learning;
}

Tensor wide(const Tensor& t) { return t.detach().to(at::kDouble).clone(); }
Tensor leaf(const Tensor& t) { return wide(t).requires_grad_(true); }

// log(1 + e^a) of elementary functions, which have derivatives of any order.
Tensor softplus_of(const Tensor& a) { return a.clamp_min(0) + (-a.abs()).exp().log1p(); }
Tensor smooth_softplus(const Tensor& a) { return a.exp().log1p(); }

struct Plain {
  Tensor w, b, c, z;  // z undefined without Gaussian columns
};

double loss_of(Rbm& rbm, const Tensor& x) {
  Rng rng(5);
  return metric(rbm.gradients({x, {}}, {}, rng), "matching_loss");
}

void expect_gradients(const Rbm& rbm, const Plain& wanted, double tolerance) {
  expect_near(doubles(rbm.weights.grad()), doubles(wanted.w), tolerance, "weights");
  expect_near(doubles(rbm.visible_bias.grad()), doubles(wanted.b), tolerance, "visible_bias");
  expect_near(doubles(rbm.hidden_bias.grad()), doubles(wanted.c), tolerance, "hidden_bias");
  if (wanted.z.defined())
    expect_near(doubles(rbm.visible_log_variance.grad()), doubles(wanted.z), tolerance, "log_variance");
}

// ---------------------------------------------------------------- ratio matching

// Mean over the rows of the sum over cells of p(the cell turned over | the others)^2.
Tensor ratio_loss(const Plain& p, const Tensor& x) {
  auto free_energy = [&](const Tensor& v) { return -v.mv(p.b) - softplus_of(v.mm(p.w) + p.c).sum(1); };
  const Tensor here = free_energy(x);
  Tensor sum = at::zeros({x.size(0)}, at::kDouble);
  for (std::int64_t i = 0; i < x.size(1); ++i) {
    Tensor there = x.clone();
    there.select(1, i).neg_().add_(1);
    sum = sum + at::sigmoid(here - free_energy(there)).square();
  }
  return sum.mean();
}

struct Shape {
  std::int64_t visible, hidden;
  double scale;
};
std::ostream& operator<<(std::ostream& out, const Shape& s) {
  return out << s.visible << " x " << s.hidden << " at scale " << s.scale;
}

class RatioMatching : public ::testing::TestWithParam<Shape> {
 protected:
  std::shared_ptr<Rbm> make(bool centring) const {
    return make_rbm(GetParam().visible, GetParam().hidden, GetParam().scale, 71,
                    rule("ratio_matching", centring));
  }
  Tensor data() const {
    Rng rng(73);
    return bits_tensor(17, GetParam().visible, rng, 0.4);
  }
};
INSTANTIATE_TEST_SUITE_P(Shapes, RatioMatching,
                         ::testing::Values(Shape{6, 4, 0.3}, Shape{4, 7, 1}, Shape{5, 1, 1}, Shape{1, 3, 1},
                                           Shape{6, 3, 3}));

TEST_P(RatioMatching, EqualsAutomaticDifferentiation) {
  const auto rbm = make(false);
  const double ours = loss_of(*rbm, data());
  const Plain p{leaf(rbm->weights), leaf(rbm->visible_bias), leaf(rbm->hidden_bias), {}};
  const Tensor loss = ratio_loss(p, wide(data()));
  EXPECT_NEAR(ours, loss.item<double>(), 2e-6);
  loss.backward();
  expect_gradients(*rbm, {p.w.grad(), p.b.grad(), p.c.grad(), {}},
                   4e-6 * std::max(1.0, 3 * GetParam().scale));
}

// In b = b' - W lambda, c = c' - W^T mu, and carried back.
TEST_P(RatioMatching, CentredIsAGradientOfTheCentredParameters) {
  const auto rbm = make(true);
  Rng noise(83);
  rbm->visible_offset.copy_(normal_tensor({rbm->visible()}, 0.3, noise) + 0.5);
  rbm->hidden_offset.copy_(normal_tensor({rbm->hidden()}, 0.3, noise) + 0.5);
  loss_of(*rbm, data());
  const Tensor mu = wide(rbm->visible_offset), lambda = wide(rbm->hidden_offset);
  const Tensor w = leaf(rbm->weights);
  const Tensor b = leaf(wide(rbm->visible_bias) + wide(rbm->weights).mv(lambda));
  const Tensor c = leaf(wide(rbm->hidden_bias) + wide(rbm->weights).t().mv(mu));
  ratio_loss({w, b - w.mv(lambda), c - w.t().mv(mu), {}}, wide(data())).backward();
  expect_gradients(*rbm, {w.grad(), b.grad() - w.grad().mv(lambda), c.grad() - w.grad().t().mv(mu), {}},
                   1e-5);
}

// Hidden units of other kinds, by central differences of what training reports.
TEST(RatioMatchingUnits, SlopesAreTheGradientWhateverTheHiddenUnits) {
  for (const char* kind : {"binary", "softmax", "stepped", "mean_field", "gaussian"}) {
    const auto rbm =
        unit_rbm(UnitLayer::of(UnitKind::binary, 5), kind, 4, 0.4, 7, rule("ratio_matching", false));
    Rng rng(11);
    const Tensor x = bits_tensor(30, 5, rng, 0.4);
    Rng directions(13);
    expect_slopes(
        *rbm, [&] { return loss_of(*rbm, x); }, directions, 4e-3, 3e-3, 0.01, kind);
  }
}

// What training descends in expectation over the rows that a table of probabilities gives, and its gradient.
struct Expected {
  double loss = 0;
  Tensor gradient;
};
Expected expected_under(Rbm& rbm, const Doubles& p) {
  const Tensor states = all_states(rbm.visible());
  Expected sum;
  for (std::int64_t s = 0; s < states.size(0); ++s) {
    sum.loss += p[size(s)] * loss_of(rbm, states.narrow(0, s, 1));
    const Tensor flat =
        at::cat({rbm.weights.grad().reshape({-1}), rbm.visible_bias.grad(), rbm.hidden_bias.grad()})
            .to(at::kDouble) *
        p[size(s)];
    sum.gradient = sum.gradient.defined() ? sum.gradient + flat : flat;
  }
  return sum;
}

TEST(RatioMatchingTruth, IsMinimalAtTheTrueDistribution) {
  const auto truth = make_rbm(4, 3, 0.9, 19, rule("ratio_matching", false));
  const Doubles p = probabilities(PlainRbm(*truth).log_unnormalised());
  const Expected at_truth = expected_under(*truth, p);
  EXPECT_LT(at_truth.gradient.abs().max().item<double>(), 2e-6);
  Rng rng(23);
  for (int trial = 0; trial < 10; ++trial) {
    const auto other = make_rbm(4, 3, 0.9, 19, rule("ratio_matching", false));
    NoGradGuard no_graph;
    for (auto& item : other->named_parameters())
      item.value().add_(normal_tensor(item.value().sizes(), 0.5, rng));
    const Expected away = expected_under(*other, p);
    EXPECT_GT(away.loss, at_truth.loss + 1e-4) << trial;
    EXPECT_GT(away.gradient.abs().max().item<double>(), 1e-4) << trial;
  }
}

TEST(RatioMatchingTruth, LearnsADistribution) {
  Rng rng(29);
  Tensor x = at::zeros({200, 6});  // the first half of the cells alike, the second half their opposite
  for (std::int64_t r = 0; r < 200; ++r)
    if (rng.uniform() < 0.5)
      x[r].narrow(0, 0, 3).fill_(1);
    else
      x[r].narrow(0, 3, 3).fill_(1);
  for (const bool centring : {false, true}) {
    const auto rbm = make_rbm(6, 3, 0.05, 31, rule("ratio_matching", centring));
    const double before = PlainRbm(*rbm).mean_log_prob(x), first = loss_of(*rbm, x);
    NoGradGuard no_graph;
    for (int step = 0; step < 3000; ++step) {
      loss_of(*rbm, x);
      for (Tensor& each : rbm->parameters()) each.sub_(each.grad(), 0.3);
    }
    EXPECT_LT(before, -3.5);
    EXPECT_GT(PlainRbm(*rbm).mean_log_prob(x), -1.5) << "log 2 at best";
    EXPECT_LT(loss_of(*rbm, x), 0.2 * first);
  }
}

// ---------------------------------------------------------------- score matching

constexpr std::int64_t columns = 4, units = 3;

std::shared_ptr<Rbm> make_gaussian(bool centring, double scale, const std::string& variance = "learned") {
  RbmOptions options;
  options.hidden = units, options.variance = variance;
  auto rbm = std::make_shared<Rbm>(options, rule("score_matching", centring),
                                   UnitLayer::of(UnitKind::gaussian, columns));
  Rng rng(37);
  const Tensor deviation = at::tensor({0.5F, 1.0F, 2.0F, 3.0F});
  rbm->initialise({normal_tensor({100, columns}, 1, rng) * deviation, {}}, rng);
  NoGradGuard no_graph;
  for (auto& item : rbm->named_parameters())
    item.value().add_(normal_tensor(item.value().sizes(), scale, rng));
  return rbm;
}

// Hyvarinen's objective of the density exp(-F) in units of the deviations, by differentiation of F alone.
Tensor score_loss(const Plain& p, const Tensor& rows, const Tensor& variance) {
  const Tensor v = leaf(rows);
  const Tensor precision = (-p.z).exp();
  const Tensor log_p = ((p.b * v - v.square() / 2) * precision).sum() +
                       smooth_softplus((v * precision.sqrt()).mm(p.w) + p.c).sum();
  const Tensor score = torch::autograd::grad({log_p}, {v}, {}, true, true)[0];
  Tensor sum = (score.square() * variance).sum() / 2;
  for (std::int64_t i = 0; i < v.size(1); ++i) {
    const Tensor slope = torch::autograd::grad({score.select(1, i).sum()}, {v}, {}, true, true)[0];
    sum = sum + slope.select(1, i).sum() * variance[i];
  }
  return sum / static_cast<double>(rows.size(0));
}

Tensor real_rows(std::int64_t count) {
  Rng rng(41);
  return normal_tensor({count, columns}, 1, rng) * at::tensor({0.5F, 1.0F, 2.0F, 3.0F});
}

TEST(ScoreMatching, EqualsAutomaticDifferentiationOfTheScore) {
  for (const double scale : {0.2, 0.6}) {
    const auto rbm = make_gaussian(false, scale);
    const Tensor x = real_rows(23);
    const double ours = loss_of(*rbm, x);
    const Plain p{leaf(rbm->weights), leaf(rbm->visible_bias), leaf(rbm->hidden_bias),
                  leaf(rbm->visible_log_variance)};
    const Tensor loss = score_loss(p, x, wide(rbm->data_variance));
    EXPECT_NEAR(ours, loss.item<double>(), 1e-5 * std::max(1.0, std::abs(ours)));
    loss.backward();
    expect_gradients(*rbm, {p.w.grad(), p.b.grad(), p.c.grad(), p.z.grad()}, 2e-4);
  }
}

// With b = b' - sigma W lambda and c = c' - W^T (mu / sigma), rows and variances slowed by sigma^2 over the column's
// variance, b' in units of sigma^2, and all carried back (rbm.h).
TEST(ScoreMatching, CentredIsASlowedGradientOfTheCentredParameters) {
  const auto rbm = make_gaussian(true, 0.3);
  Rng noise(43);
  rbm->visible_offset.copy_(normal_tensor({columns}, 0.3, noise));
  rbm->hidden_offset.copy_(normal_tensor({units}, 0.2, noise) + 0.5);
  const Tensor x = real_rows(23);
  loss_of(*rbm, x);
  const Tensor mu = wide(rbm->visible_offset), lambda = wide(rbm->hidden_offset);
  const Tensor w = leaf(rbm->weights), z = leaf(rbm->visible_log_variance), sigma = (z / 2).exp();
  const Tensor still = sigma.detach();
  const Tensor b = leaf(wide(rbm->visible_bias) + still * wide(rbm->weights).mv(lambda));
  const Tensor c = leaf(wide(rbm->hidden_bias) + wide(rbm->weights).t().mv(mu / still));
  const Plain p{w, b - sigma * w.mv(lambda), c - w.t().mv(mu / sigma), z};
  score_loss(p, x, wide(rbm->data_variance)).backward();
  const Tensor brake = (still.square() / wide(rbm->data_variance)).clamp_max(1);
  const Tensor dw = w.grad() * brake.unsqueeze(1), dz = z.grad() * brake;
  const Tensor db =
      b.grad() * still.square() * brake - still * dw.mv(lambda) - still / 2 * w.detach().mv(lambda) * dz;
  const Tensor dc = c.grad() - dw.t().mv(mu / still) + w.detach().t().mv(mu / still * dz) / 2;
  expect_gradients(*rbm, {dw, db, dc, dz}, 3e-4);
}

TEST(ScoreMatching, LeavesFixedVariancesAlone) {
  const auto rbm = make_gaussian(true, 0.2, "fixed");
  loss_of(*rbm, real_rows(20));
  EXPECT_EQ(rbm->visible_log_variance.grad().abs().max().item<double>(), 0);
  EXPECT_GT(rbm->weights.grad().abs().max().item<double>(), 0);
}

// Exact draws: h from its enumerated marginal, then v given h.
Tensor exact_reals(const Rbm& rbm, std::int64_t count, Rng& rng) {
  const Tensor states = all_states(units).to(at::kDouble), input = states.mm(wide(rbm.weights).t());
  const Tensor scaled = wide(rbm.visible_bias) * (-wide(rbm.visible_log_variance) / 2).exp();
  const Tensor logs = states.mv(wide(rbm.hidden_bias)) + input.mv(scaled) + input.square().sum(1) / 2;
  return rbm.sample_v_given_h(exact_samples(probabilities(doubles(logs)), units, count, rng), rng);
}

// The mean gradient at the truth is zero, at another machine it is not; one check in a million exceeds 6.
TEST(ScoreMatching, IsStationaryAtTheTrueDistribution) {
  auto distance = [](bool away) {
    const auto truth = make_gaussian(false, 0.4), model = make_gaussian(false, 0.4);
    NoGradGuard no_graph;
    Rng noise(47);
    if (away)
      for (auto& item : model->named_parameters())
        item.value().add_(normal_tensor(item.value().sizes(), 0.2, noise));
    Moments moments;
    Rng rng(53);
    for (int batch = 0; batch < 400; ++batch) {
      loss_of(*model, exact_reals(*truth, 200, rng));
      moments.add(doubles(at::cat({model->weights.grad().reshape({-1}), model->visible_bias.grad(),
                                   model->hidden_bias.grad(), model->visible_log_variance.grad()})));
    }
    return moments.largest_z(Doubles(size(columns * units + 2 * columns + units)), 1e-5);
  };
  EXPECT_LT(distance(false), 6);
  EXPECT_GT(distance(true), 20);
}

// ---------------------------------------------------------------- both

TEST(Matching, IsRefusedWhereItSaysNothing) {
  const auto refused = [](const std::string& how, const UnitLayer& layer, const std::string& hidden) {
    RbmOptions options;
    options.hidden = 4, options.hidden_units = hidden;
    return error_of(ErrorKind::usage, [&] { Rbm(options, rule(how, true), layer); });
  };
  expect_says(refused("ratio_matching", UnitLayer::of(UnitKind::gaussian, 3), "binary"), {"binary"});
  expect_says(refused("ratio_matching", UnitLayer::of(UnitKind::binary, 1001), "binary"), {"1001", "1000"});
  expect_says(refused("score_matching", UnitLayer::of(UnitKind::binary, 3), "binary"), {"Gaussian"});
  expect_says(refused("score_matching", UnitLayer::of(UnitKind::gaussian, 4), "gaussian"), {"binary hidden"});
}

TEST(Matching, DoesNotDependOnThreads) {
  auto results = [](int count, const std::string& how) {
    const Threads threads(count);
    const bool bits = how == "ratio_matching";
    const UnitLayer layer = UnitLayer::of(bits ? UnitKind::binary : UnitKind::gaussian, 120);
    const auto rbm = unit_rbm(layer, "binary", 90, 0.1, 59, rule(how, true));
    Rng rng(61);
    const Tensor x = layer_rows(layer, 250, rng);
    const double loss = loss_of(*rbm, x);
    std::vector<Tensor> all = {at::tensor(loss, at::kDouble)};
    for (const auto& item : rbm->named_parameters()) all.push_back(item.value().grad().clone());
    return all;
  };
  for (const char* how : {"ratio_matching", "score_matching"}) {
    const std::vector<Tensor> one = results(1, how), four = results(4, how);
    for (std::size_t i = 0; i < one.size(); ++i) expect_bit_equal(one[i], four[i], how);
  }
}

TEST(Matching, IsResumedBitForBit) {
  const Assignments assignments = {"model.hidden=5", "training.epochs=3", "training.batch=5",
                                   "training.rate=0.2", "training.learning=ratio_matching"};
  const Dataset set = random_bits(23, 7);
  const Checkpoint whole = straight(assignments, set);
  for (const std::int64_t stop : {1, 7})
    expect_equal_runs(in_sittings(assignments, set, {stop}), whole, std::to_string(stop));
}

}  // namespace
}  // namespace deepgen::rbm_matching_test
