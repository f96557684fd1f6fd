// Laws of the RBM for every pair of layers: gradients, log Z, marginals, chains, gauge, existence.
#include "deepgen/evaluate/annealing.h"
#include "deepgen/evaluate/missing_cells.h"
#include "deepgen/evaluate/schedule.h"
#include "tests/library/machines.h"

namespace deepgen::rbm_units_test {
namespace {

using namespace machines;

RbmLearning plain_exact() {
  RbmLearning learning;
  learning.learning = "exact", learning.centring = false;
  return learning;
}

// Columns of one kind; softmax: in groups of two, stepped: of five copies.
UnitLayer layer_of(const std::string& kind, std::int64_t columns = 4) {
  return UnitLayer::of(unit_kind(kind, "test"), columns, 2, 5);
}

// A layer with every kind of column.
UnitLayer mixed_layer() {
  return UnitLayer({{UnitKind::binary, 0, 1},
                    {UnitKind::softmax, 1, 3},
                    {UnitKind::gaussian, 4, 2},
                    {UnitKind::count, 6, 1},
                    {UnitKind::binary, 7, 1},
                    {UnitKind::mean_field, 8, 1},
                    {UnitKind::softmax, 9, 2}});
}

double objective(Rbm& rbm, const Tensor& x) {
  return rbm.free_energy(x).mean().item<double>() + *rbm.exact_log_partition();
}

// Every element of every gradient against central differences of the exact objective.
void expect_exact_gradient(Rbm& rbm, const Tensor& x, const std::string& what) {
  Rng rng(3);
  rbm.gradients({x, {}}, {}, rng);
  constexpr double step = 4e-3;
  NoGradGuard no_graph;
  for (auto& item : rbm.named_parameters()) {
    Tensor& p = item.value();
    for (std::int64_t i = 0; i < p.numel(); ++i) {
      float& element = p.data_ptr<float>()[i];
      const float kept = element;
      element = kept + static_cast<float>(step);
      const double up = objective(rbm, x), high = element;
      element = kept - static_cast<float>(step);
      const double down = objective(rbm, x), low = element;
      element = kept;
      const double slope = (up - down) / (high - low), ours = p.grad().data_ptr<float>()[i];
      if (item.key() == "visible_log_variance" &&
          !rbm.visible_layer().columns_of(UnitKind::gaussian)[i].item<bool>()) {
        EXPECT_EQ(ours, 0);
        continue;
      }
      ASSERT_NEAR(ours, slope, 2e-3 * (1 + std::abs(slope))) << what << " " << item.key() << " [" << i << "]";
    }
  }
}

TEST(RbmUnits, ExactGradientsAgreeWithDifferencesForEveryVisibleKind) {
  Rng rng(11);
  for (const std::string& kind : unit_kind_names()) {
    const auto rbm = unit_rbm(layer_of(kind), "binary", 3, 0.3, 21, plain_exact());
    expect_exact_gradient(*rbm, layer_rows(layer_of(kind), 30, rng), kind);
  }
  const auto mixed = unit_rbm(mixed_layer(), "binary", 3, 0.3, 22, plain_exact());
  expect_exact_gradient(*mixed, layer_rows(mixed_layer(), 30, rng), "mixed");
}

TEST(RbmUnits, ExactGradientsAgreeWithDifferencesForEveryHiddenKind) {
  Rng rng(12);
  for (const char* kind : {"binary", "softmax", "mean_field", "stepped", "rectified", "gaussian"}) {
    const auto rbm = unit_rbm(layer_of("binary"), kind, 4, 0.3, 23, plain_exact());
    expect_exact_gradient(*rbm, layer_rows(layer_of("binary"), 30, rng), kind);
  }
}

// Centring changes coordinates, not the objective: a small step along the centred direction must lower it,
// and vanish where the plain gradient does.
TEST(RbmUnits, CentredDirectionsGoDownhillForEveryKind) {
  Rng rng(13);
  RbmLearning centred = plain_exact();
  centred.centring = true, centred.offset_rate = 0;
  std::vector<UnitLayer> layers = {mixed_layer()};
  for (const std::string& kind : unit_kind_names()) layers.push_back(layer_of(kind));
  for (const UnitLayer& layer : layers) {
    const auto rbm = unit_rbm(layer, "binary", 3, 0.3, 24, centred);
    const Tensor x = layer_rows(layer, 40, rng);
    Rng own(3);
    const double before = objective(*rbm, x);
    rbm->gradients({x, {}}, {}, own);
    NoGradGuard no_graph;
    for (auto& item : rbm->named_parameters()) item.value().sub_(item.value().grad(), 2e-3);
    EXPECT_LT(objective(*rbm, x), before) << static_cast<int>(layer.groups()[0].kind);
  }
}

// Two machines with the same distribution, one with its energy shifted by a gauge, and the carried-back
// centred gradient: the offsets at zero give the plain gradient except for the preconditioned biases.
TEST(RbmUnits, CentringWithZeroOffsetsIsThePlainGradientOfWeights) {
  Rng rng(14);
  RbmLearning centred = plain_exact();
  centred.centring = true, centred.offset_rate = 0;
  const auto a = unit_rbm(mixed_layer(), "binary", 3, 0.3, 25, plain_exact());
  const auto b = unit_rbm(mixed_layer(), "binary", 3, 0.3, 25, centred);
  NoGradGuard no_graph;
  b->visible_offset.zero_(), b->hidden_offset.zero_();
  for (auto& item : b->named_parameters()) item.value().copy_(a->named_parameters()[item.key()]);
  const Tensor gaussian = mixed_layer().columns_of(UnitKind::gaussian);  // small: nothing is slowed down
  a->data_variance.copy_(at::where(gaussian, at::full_like(a->data_variance, 1e-3), a->data_variance));
  b->data_variance.copy_(a->data_variance);
  const Tensor x = layer_rows(mixed_layer(), 30, rng);
  Rng one(3), two(3);
  a->gradients({x, {}}, {}, one);
  b->gradients({x, {}}, {}, two);
  for (const char* name : {"weights", "hidden_bias", "visible_log_variance"})
    expect_near(doubles(a->named_parameters()[name].grad()), doubles(b->named_parameters()[name].grad()),
                1e-4, name);
}

// log Z by annealing in both directions against the exact one: 200 chains, 2,000 temperatures; the tolerance
// is five standard errors and a nat's hundredth.
TEST(RbmUnits, AnnealingMeetsTheExactLogPartition) {
  std::vector<std::pair<UnitLayer, std::string>> pairs = {{mixed_layer(), "binary"},
                                                          {layer_of("gaussian"), "gaussian"}};
  for (const std::string& kind : unit_kind_names()) pairs.emplace_back(layer_of(kind), "binary");
  for (const char* kind : {"softmax", "mean_field", "stepped", "rectified", "gaussian"})
    pairs.emplace_back(layer_of("binary"), kind);
  Observer silent;
  for (const auto& [layer, hidden] : pairs) {
    const auto rbm = unit_rbm(layer, hidden, 4, 0.25, 31);
    if (rbm->gain_directions.defined()) {
      NoGradGuard no_graph;
      rbm->weights.mul_(0.5 / rbm->largest_gain());
    }
    const auto exact = rbm->exact_log_partition();
    ASSERT_TRUE(exact.has_value());
    Rng rng(32);
    const auto schedule = annealing_schedule("linear-1000");
    const LogPartition forward = anneal_forward(*rbm, schedule, 200, rng, silent);
    const std::string what =
        hidden + " hidden, visible kind " + std::to_string(static_cast<int>(layer.groups()[0].kind));
    EXPECT_NEAR(forward.value, *exact, 5 * forward.standard_error + 0.01) << what;
    const Tensor start = rbm->chain_steps(rbm->chain_start(200, rng), 200, rng);
    const LogPartition reverse = anneal_reverse(*rbm, schedule, start, rng, silent);
    EXPECT_NEAR(reverse.value, *exact, 5 * reverse.standard_error + 0.01) << what;
  }
}

// Start at p, stay at p: hidden states drawn exactly, visible ones given them; after five steps the hidden
// states are distributed as before. One false alarm in a million a check.
TEST(RbmUnits, ChainsStayAtTheModelForEveryVisibleKind) {
  std::vector<UnitLayer> layers = {mixed_layer()};
  for (const std::string& kind : unit_kind_names()) layers.push_back(layer_of(kind));
  for (const UnitLayer& layer : layers) {
    const auto rbm = unit_rbm(layer, "binary", 4, 0.5, 41);
    const NaturalParameters p = rbm->visible_natural();
    Tensor input = all_states(4).mm(rbm->weights.t());
    if (p.couple.defined()) input = input * p.couple;
    const Tensor logs = layer.log_partition((input + p.theta).to(at::kDouble), p.gamma) +
                        all_states(4).mv(rbm->hidden_bias).to(at::kDouble);
    const Doubles prob = probabilities(doubles(logs));
    Rng rng(42);
    const Tensor h = exact_samples(prob, 4, 40000, rng);
    const Tensor v = rbm->chain_steps(rbm->sample_v_given_h(h, rng), 5, rng);
    expect_drawn_from(rbm->sample_h_given_v(v, rng), prob,
                      std::to_string(static_cast<int>(layer.groups()[0].kind)));
  }
}

// p(known) by marginal_free_energy against the sum of joint probabilities over the missing cells, and the
// annealed estimate against it.
TEST(RbmUnits, MissingCellsAreSummedOut) {
  const UnitLayer layer({{UnitKind::binary, 0, 2}, {UnitKind::softmax, 2, 3}, {UnitKind::gaussian, 5, 1}});
  const auto rbm = unit_rbm(layer, "binary", 3, 0.6, 51);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  Rng rng(52);
  Tensor x = layer_rows(layer, 1, rng);
  Tensor gaps = x.clone();
  gaps[0][1] = nan, gaps[0][2] = nan, gaps[0][3] = nan, gaps[0][4] = nan;
  std::vector<Tensor> filled;
  for (int b = 0; b < 2; ++b)
    for (int k = 0; k < 3; ++k) {
      Tensor row = x.clone();
      row[0][1] = b, row[0][2] = k == 0, row[0][3] = k == 1, row[0][4] = k == 2;
      filled.push_back(row);
    }
  const double wanted = at::logsumexp(-rbm->free_energy(at::cat(filled)), 0).item<double>();
  EXPECT_NEAR(-rbm->marginal_free_energy(gaps)->item<double>(), wanted, 1e-5);
  Tensor no_real = x.clone();
  no_real[0][5] = nan;
  const std::int64_t cells = 20000;
  Tensor grid = x.expand({cells, 6}).clone();
  grid.select(1, 5).copy_((at::arange(cells) + 0.5) * (40.0 / cells) - 20);
  const double integral = at::logsumexp(-rbm->free_energy(grid), 0).item<double>() + std::log(40.0 / cells);
  EXPECT_NEAR(-rbm->marginal_free_energy(no_real)->item<double>(), integral, 1e-4);
  // annealing given the known cells, on a machine too wide to be summed
  Tensor rows = at::cat({gaps, no_real});
  const auto chains = rbm->anneal_given(rows.repeat_interleave(500, 0), rng);
  Tensor logs = rbm->log_base_partition_given(rows.repeat_interleave(500, 0));
  const auto betas = annealing_schedule("linear-200");
  for (std::size_t k = 1; k < betas.size(); ++k) chains->step(betas[k - 1], betas[k], logs, rng);
  const Tensor mean = at::logsumexp(logs.view({2, 500}), 1) - std::log(500.0);
  expect_near(doubles(mean), doubles(-*rbm->marginal_free_energy(rows)), 0.03, "annealed marginal");
}

TEST(RbmUnits, ARowWithoutKnownCellsHasProbabilityOne) {
  const auto rbm = unit_rbm(mixed_layer(), "binary", 3, 0.4, 53);
  Rng rng(1);
  const Tensor nothing = at::full({1, 11}, std::numeric_limits<float>::quiet_NaN());
  const double log_z = *rbm->exact_log_partition();
  EXPECT_EQ(log_unnormalised(*rbm, nothing, log_z, {}, rng).item<double>(), log_z);
  EXPECT_NEAR(-rbm->marginal_free_energy(nothing)->item<double>(), log_z, 1e-6);
}

TEST(RbmUnits, ZIsInfiniteNotNaNWhereGaussianWeightsAreTooLarge) {
  const auto rbm = unit_rbm(layer_of("gaussian"), "gaussian", 3, 0.2, 61);
  NoGradGuard no_graph;
  rbm->weights.mul_(0.97 / rbm->largest_gain());
  EXPECT_TRUE(std::isfinite(*rbm->exact_log_partition()));
  rbm->weights.mul_(1.05);
  EXPECT_EQ(*rbm->exact_log_partition(), std::numeric_limits<double>::infinity());
  Rng rng(62);
  for (std::int64_t step = 0; step < 200; ++step) {  // updates bring it back
    const Turn turn{.step = step, .steps = 200};
    rbm->gradients(layer_rows(layer_of("gaussian"), 20, rng), turn, rng);
    rbm->project(turn);
  }
  EXPECT_TRUE(std::isfinite(*rbm->exact_log_partition()));
}

TEST(RbmUnits, CountsWithUnboundedHiddenUnitsAreRefused) {
  for (const char* kind : {"gaussian", "rectified"}) {
    RbmOptions options;
    options.hidden_units = kind;
    expect_says(error_of(ErrorKind::usage, [&] { Rbm(options, {}, mixed_layer()); }),
                {"log Z is infinite", kind});
  }
}

TEST(RbmUnits, GaugeMovesLeaveTheEnergyUnchanged) {
  Rng rng(71);
  const auto rbm = unit_rbm(mixed_layer(), "binary", 5, 0.5, 72);
  const Tensor x = layer_rows(mixed_layer(), 50, rng);
  const Tensor before = rbm->free_energy(x);
  const double log_z = *rbm->exact_log_partition();
  rbm->centre_softmax_groups();
  EXPECT_LT((rbm->free_energy(x) - before).abs().max().item<double>(), 1e-4);
  EXPECT_LT(rbm->weights.narrow(0, 1, 3).mean(0).abs().max().item<double>(), 1e-6);
  EXPECT_NEAR(*rbm->exact_log_partition(), log_z, 1e-5);
  rbm->flip_hidden_unit(2);
  const Tensor change = rbm->free_energy(x) - before;  // one number for all rows
  EXPECT_LT((change - change[0]).abs().max().item<double>(), 1e-4);
  EXPECT_NEAR(*rbm->exact_log_partition() + change[0].item<double>(), log_z, 1e-4);
  const auto groups = unit_rbm(layer_of("gaussian"), "softmax", 4, 0.5, 73);
  const Tensor y = layer_rows(layer_of("gaussian"), 50, rng);
  const Tensor was = groups->free_energy(y);
  groups->centre_softmax_groups();
  EXPECT_LT((groups->free_energy(y) - was).abs().max().item<double>(), 1e-4);
  EXPECT_LT(groups->weights.narrow(1, 0, 2).mean(1).abs().max().item<double>(), 1e-6);
}

// Two far modes that Gibbs chains at temperature 1 do not cross: tempered chains visit both as often as they
// weigh. A plain chain begun in one mode stays there, so the check can fail.
TEST(RbmUnits, TemperedChainsCrossBetweenModes) {
  RbmLearning learning;
  learning.learning = "pt", learning.temperatures = 12, learning.chains = 20, learning.centring = false;
  RbmOptions options;
  options.hidden = 1;
  auto rbm = std::make_shared<Rbm>(options, learning, UnitLayer::of(UnitKind::binary, 12));
  Rng rng(81);
  rbm->initialise({bits_tensor(200, 12, rng), {}}, rng);
  NoGradGuard no_graph;
  rbm->weights.fill_(6), rbm->visible_bias.fill_(-3), rbm->hidden_bias.fill_(-36);
  rbm->data_mean.fill_(0.5);
  rbm->chains.zero_();  // all in one mode
  const double exact =
      1 / (1 + std::exp(-(-36 + 12 * (std::log1p(std::exp(3.0)) - std::log1p(std::exp(-3.0))))));
  double on = 0, all = 0;
  const Tensor x = bits_tensor(10, 12, rng);
  for (std::int64_t step = 0; step < 4000; ++step) {
    rbm->gradients({x, {}}, {.step = step, .steps = 4000}, rng);
    if (step < 500) continue;
    on += rbm->chains.narrow(0, 11 * 20, 20).sum().item<double>(), all += 20;
  }
  EXPECT_NEAR(on / all, exact, 0.06);
  EXPECT_GT(rbm->swap_rates.min().item<double>(), 0.05);
  EXPECT_LT(rbm->swap_rates.max().item<double>(), 0.9999);
  Tensor stuck = at::zeros({100, 12});
  stuck = rbm->chain_steps(stuck, 50, rng);
  EXPECT_LT(stuck.mean().item<double>(), 0.1);
}

TEST(RbmUnits, PseudoLikelihoodOfSoftmaxGroupsIsTheConditional) {
  const UnitLayer layer({{UnitKind::binary, 0, 1}, {UnitKind::softmax, 1, 3}});
  const auto rbm = unit_rbm(layer, "binary", 3, 0.8, 91);
  auto row = [](int b, int k) {
    Tensor x = at::zeros({1, 4});
    x[0][0] = b, x[0][1 + k] = 1;
    return x;
  };
  auto weight = [&](int b, int k) { return std::exp(-rbm->free_energy(row(b, k)).item<double>()); };
  const double flip = weight(1, 2) / (weight(1, 2) + weight(0, 2));
  const double group = weight(1, 2) / (weight(1, 0) + weight(1, 1) + weight(1, 2));
  EXPECT_NEAR(rbm->pseudo_log_likelihood(row(1, 2))->item<double>(), std::log(flip) + std::log(group), 1e-4);
}

// Small variances are what Gaussian units are slow to learn: points near two centres, deviation 0.2 of the
// data's. The learnt deviations must come near the truth, the exact likelihood near the mixture's.
TEST(RbmUnits, SmallVariancesAreLearnt) {
  Rng rng(95);
  const std::int64_t rows = 2000;
  Tensor x = at::empty({rows, 2});
  for (std::int64_t r = 0; r < rows; ++r) {
    const double centre = r % 2 ? 1 : -1;
    for (int j = 0; j < 2; ++j) x[r][j] = centre + 0.2 * rng.normal();
  }
  RbmOptions options;
  options.hidden = 2;
  RbmLearning learning;
  learning.learning = "exact";
  Rbm rbm(options, learning, UnitLayer::of(UnitKind::gaussian, 2));
  rbm.initialise({x, {}}, rng);
  NoGradGuard no_graph;
  for (std::int64_t step = 0; step < 8000; ++step) {
    const Turn turn{.step = step, .steps = 8000};
    rbm.gradients(x, turn, rng);
    for (auto& item : rbm.named_parameters())
      item.value().sub_(item.value().grad(), 0.4 * (1 - real(step) / 8000));
    rbm.project(turn);
  }
  const Tensor deviation = (rbm.visible_log_variance / 2).exp();
  EXPECT_LT(deviation.max().item<double>(), 0.23);
  EXPECT_GT(deviation.min().item<double>(), 0.17);
  const double truth = -std::log(2.0) - 2 * (std::log(0.2) + 0.5 * std::log(2 * 3.141592653589793) + 0.5);
  EXPECT_NEAR(-objective(rbm, x), truth, 0.05);
}

TEST(RbmUnits, TrainingOnRowsWithGapsStaysFiniteAndDeterministic) {
  RbmLearning learning;
  const auto a = unit_rbm(mixed_layer(), "binary", 4, 0.1, 97, learning);
  const auto b = unit_rbm(mixed_layer(), "binary", 4, 0.1, 97, learning);
  Rng rng(98);
  Tensor x = layer_rows(mixed_layer(), 60, rng);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  x.narrow(0, 0, 20).narrow(1, 1, 3).fill_(nan);
  x.narrow(0, 10, 30).narrow(1, 4, 1).fill_(nan);
  x.narrow(0, 5, 1).fill_(nan);  // nothing known
  for (const auto& rbm : {a, b}) {
    Rng own(99);
    for (std::int64_t step = 0; step < 50; ++step) {
      const Turn turn{.step = step, .steps = 50};
      rbm->gradients(x, turn, own);
      NoGradGuard no_graph;
      for (auto& item : rbm->named_parameters()) item.value().sub_(item.value().grad(), 0.02);
      rbm->project(turn);
    }
  }
  for (auto& item : a->named_parameters()) {
    EXPECT_TRUE(item.value().isfinite().all().item<bool>()) << item.key();
    expect_bit_equal(item.value(), b->named_parameters()[item.key()], item.key());
  }
}

}  // namespace
}  // namespace deepgen::rbm_units_test
