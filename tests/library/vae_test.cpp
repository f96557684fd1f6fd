// The variational autoencoder against numerical integration, and at any number of threads.
// (vae_gradient_test.cpp: its gradients.)
//
// Statistical checks fail by chance once in a million runs of a fresh seed; the seeds are fixed.
#include "deepgen/ops/unit_layers.h"
#include "tests/library/small_cases.h"
#include "tests/library/small_vaes.h"

namespace deepgen::vae_test {
namespace {

using namespace machines;
using small_vaes::gradients_of;
using small_vaes::make_vae;

// ---------------------------------------------------------------- against integrals

constexpr std::int64_t grid_points = 4001;

// log N(z; m, s^2) in the grid's points, z from -10 to 10.
struct Grid {
  Tensor z = at::linspace(-10, 10, grid_points, at::kDouble);
  double step = 20.0 / (grid_points - 1);
  Tensor log_normal(double mean, double log_variance) const {
    return ((z - mean).square() * std::exp(-log_variance) + log_variance + std::log(2 * M_PI)) * -0.5;
  }
  double log_integral(const Tensor& logs) const {
    return at::logsumexp(logs, 0).item<double>() + std::log(step);
  }
};

// log p(x) of a model with one latent unit, from its decoded means.
double log_prob_by_integral(const Vae& vae, const Tensor& x, const Grid& grid) {
  const Tensor mean = vae.decode(grid.z.to(at::kFloat).unsqueeze(1)).to(at::kDouble);
  const Tensor log_likelihood = (x * mean.log() + (1 - x) * (-mean).log1p()).sum(1);
  return grid.log_integral(grid.log_normal(0, 0) + log_likelihood);
}

TEST(Vae, BoundsStayBelowTheIntegralAndRiseToIt) {
  const auto vae = make_vae(5, 1, 0.8);
  const Grid grid;
  Rng rng(5);
  const Tensor states = all_states(5);
  const Doubles few = doubles(vae->log_prob_bound(states.repeat({200, 1}), 1, rng));
  const Doubles more = doubles(vae->log_prob_bound(states.repeat({200, 1}), 20, rng));
  const Doubles many = doubles(vae->log_prob_bound(states, 50000, rng));
  double gain = 0, total = 0;
  for (std::int64_t s = 0; s < 32; ++s) {
    const double exact = log_prob_by_integral(*vae, states.narrow(0, s, 1), grid);
    total += std::exp(exact);
    double mean = 0, mean_more = 0;
    for (std::int64_t r = 0; r < 200; ++r)
      mean += few[size(r * 32 + s)] / 200, mean_more += more[size(r * 32 + s)] / 200;
    EXPECT_NEAR(many[size(s)], exact, 0.06) << "50,000 draws";
    EXPECT_LT(mean_more, exact + 0.05) << s;
    gain += mean_more - mean;
  }
  EXPECT_NEAR(total, 1, 1e-5);
  EXPECT_GT(gain / 32, 0.02) << "20 draws are better than one";
}

TEST(Vae, TheEvidenceBoundIsTheIntegralLessTheDivergence) {
  const auto vae = make_vae(5, 1, 0.8);
  const Grid grid;
  const Tensor x = all_states(5).narrow(0, 11, 1);
  Rng rng(7);
  const Gaussian q = vae->terms(vae->cases_of(x), 1, vae->prior_state(), rng).posterior;
  const double m = q.mean.item<double>(), v = q.log_variance.item<double>();
  const Tensor log_q = grid.log_normal(m, v), log_p = grid.log_normal(0, 0);
  const double kl = (log_q.exp() * (log_q - log_p)).sum().item<double>() * grid.step;
  EXPECT_NEAR(divergence_from_standard(q).item<double>(), kl, 1e-6);
  const Tensor mean = vae->decode(grid.z.to(at::kFloat).unsqueeze(1)).to(at::kDouble);
  const Tensor log_likelihood = (x * mean.log() + (1 - x) * (-mean).log1p()).sum(1);
  const double bound = (log_q.exp() * log_likelihood).sum().item<double>() * grid.step - kl;
  const Tensor draws = vae->log_prob_bound(x.repeat({100000, 1}), 1, rng);
  const double error = draws.std().item<double>() / std::sqrt(1e5);
  EXPECT_NEAR(draws.mean().item<double>(), bound, one_in_a_million * error + 1e-5);
}

// Completions of two missing cells against sums of integrals.
TEST(Vae, CompletionsFollowTheConditional) {
  VaeOptions options;
  options.completion_steps = 60;
  const auto vae = make_vae(5, 1, 0.8, {}, options);
  const Grid grid;
  const Tensor states = all_states(5);
  for (const std::int64_t known : {0b000, 0b101, 0b111}) {  // cells 0 to 2; cells 3 and 4 are missing
    Doubles p(32, 0);
    double sum = 0;
    for (std::int64_t missing = 0; missing < 4; ++missing) {
      const std::int64_t s = known + 8 * missing;
      sum += p[size(s)] = std::exp(log_prob_by_integral(*vae, states.narrow(0, s, 1), grid));
    }
    for (double& each : p) each /= sum;
    Tensor x = states.narrow(0, known, 1).repeat({8000, 1});
    x.narrow(1, 3, 2).fill_(std::nanf(""));
    Rng rng(17);
    expect_drawn_from(vae->complete(x, rng), p, "known " + std::to_string(known));
  }
}

// With two layers and with a mixture as the prior, against bounds from many draws.
TEST(Vae, CompletionsFollowTheConditionalUnderOtherPriors) {
  const Tensor states = all_states(4);
  for (const bool upper : {false, true}) {
    VaeOptions options;
    options.completion_steps = 60;
    if (upper)
      options.upper_latent = 1, options.upper_hidden = "4";
    else
      options.prior = "mixture", options.prior_components = 2;
    const auto vae = make_vae(4, 1, 0.8, {}, options);
    Rng rng(17);
    const Doubles logs = doubles(vae->log_prob_bound(states, 30000, rng));
    for (const std::int64_t known : {0b00, 0b10}) {  // cells 0 and 1; cells 2 and 3 are missing
      Doubles p(16, 0);
      double sum = 0;
      for (std::int64_t missing = 0; missing < 4; ++missing)
        sum += p[size(known + 4 * missing)] = std::exp(logs[size(known + 4 * missing)]);
      for (double& each : p) each /= sum;
      Tensor x = states.narrow(0, known, 1).repeat({8000, 1});
      x.narrow(1, 2, 2).fill_(std::nanf(""));
      expect_drawn_from(vae->complete(x, rng), p, std::to_string(known) + (upper ? " upper" : " mixture"));
    }
  }
}

TEST(Vae, NoRowsAreNoRows) {
  Rng rng(3);
  EXPECT_EQ(make_vae(5, 2, 0.5)->complete(at::empty({0, 5}), rng).sizes(), at::IntArrayRef({0, 5}));
  EXPECT_EQ(make_vae(5, 2, 0.5)->log_prob_bound(at::empty({0, 5}), 3, rng).sizes(), at::IntArrayRef({0}));
}

// A model and data of a kind, so large that torch would share its own loops out as well.
struct Wide {
  std::string name;
  std::vector<std::string> options, learning;  // "latent=5"
  DataShape data;
};
std::ostream& operator<<(std::ostream& out, const Wide& wide) { return out << wide.name; }

std::vector<Wide> wide_models() {
  constexpr std::int64_t D = 784;
  std::vector<ColumnGroup> categories;
  for (std::int64_t first = 0; first < D; first += 4) categories.push_back({ColumnKind::softmax, first, 4});
  const std::vector<ColumnGroup> mixed = {{ColumnKind::binary, 0, 300},
                                          {ColumnKind::gaussian, 300, 300},
                                          {ColumnKind::softmax, 600, 100},
                                          {ColumnKind::softmax, 700, 84}};
  const std::vector<std::string> vamp = {"prior=vamp", "prior_components=199"};
  return {{"vamp", vamp, {}, {D, {D}}},
          {"convolutional", {"network=convolutional", "channels=4,8"}, {}, {D, {1, 28, 28}}},
          {"real_vamp", vamp, {}, {D, {D}, 0, ValueKind::real}},
          {"grey", {}, {}, {D, {D}, 0, ValueKind::grey}},
          {"categories", {}, {}, {D, {D}, 0, ValueKind::categorical, categories}},
          {"mixed", {}, {}, {D, {D}, 0, ValueKind::mixed, mixed}},
          {"full", {"covariance=full", "latent=30"}, {"samples=20"}, {50, {50}}},
          {"draws", {"latent=3", "hidden=7"}, {"samples=331"}, {6, {6}}},
          {"weighted", {"latent=3", "hidden=7"}, {"samples=2", "importance=170"}, {6, {6}}},
          {"doubly",
           {"latent=3", "upper_latent=2"},
           {"importance=331", "doubly_reparameterised=true"},
           {6, {6}}}};
}

class WideVaes : public ::testing::TestWithParam<Wide> {};
INSTANTIATE_TEST_SUITE_P(Kinds, WideVaes, ::testing::ValuesIn(wide_models()),
                         [](const auto& about) { return about.param.name; });

TEST_P(WideVaes, GradientsDoNotDependOnTheNumberOfThreads) {
  const Wide& wide = GetParam();
  VaeOptions options;
  VaeLearning learning;
  options.hidden = "40", options.latent = 5;
  const auto set = [](Options& into, const std::string& each) {
    set_option(into, "", each.substr(0, each.find('=')), each.substr(each.find('=') + 1));
  };
  for (const std::string& each : wide.options) set(options, each);
  for (const std::string& each : wide.learning) set(learning, each);
  Vae vae(options, learning, wide.data);
  Rng rng(3);
  const Tensor x = small_cases::cells(wide.data, 101, rng), sample = small_cases::cells(wide.data, 300, rng);
  std::map<std::string, Tensor> one;
  for (const int count : {1, 3, 8}) {
    const Threads threads(count);
    Rng same(5);
    vae.initialise(sample, same);
    std::map<std::string, Tensor> all = gradients_of(vae, x, Turn{.step = 0, .steps = 1}, same);
    for (const auto& p : vae.named_parameters()) all["value of " + p.key()] = p.value().detach().clone();
    all["bound"] = vae.log_prob_bound(x, 3, same);
    all["samples"] = vae.sample(101, same);
    if (count == 1) one = all;
    for (const auto& [name, value] : all) expect_bit_equal(one.at(name), value, name);
  }
}

// ---------------------------------------------------------------- densities of codes

TEST(GaussianCodes, EqualTheirComposedTwins) {
  Rng rng(9);
  for (const std::int64_t units : {1, 7, 16, 50}) {
    const Gaussian q{normal_tensor({6, units}, 1, rng).requires_grad_(true),
                     normal_tensor({6, units}, 1, rng).requires_grad_(true)};
    const Tensor z = normal_tensor({18, units}, 2, rng).requires_grad_(true);
    const Tensor ours = log_density(q, z), twin = composed::log_density(q, z);
    expect_near(doubles(ours), doubles(twin), 1e-3, "value");
    const Tensor weights = normal_tensor({18}, 1, rng).to(at::kDouble);
    const auto g = torch::autograd::grad({(ours * weights).sum()}, {q.mean, q.log_variance, z});
    const auto h = torch::autograd::grad({(twin * weights).sum()}, {q.mean, q.log_variance, z});
    for (std::size_t k = 0; k < 3; ++k)
      EXPECT_TRUE(at::allclose(g[k], h[k].to(at::kFloat), 1e-4, 1e-4)) << k << " of " << units;
    const Gaussian standard{at::zeros({18, units}), at::zeros({18, units})};
    const Tensor direct = standard_log_density(z), slow = composed::log_density(standard, z);
    expect_near(doubles(direct), doubles(slow), 1e-3, "standard");
    const Tensor gz = torch::autograd::grad({(direct * weights).sum()}, {z})[0];
    EXPECT_TRUE(
        at::allclose(gz, torch::autograd::grad({(slow * weights).sum()}, {z})[0].to(at::kFloat), 1e-5, 1e-5));
  }
}

TEST(GaussianCodes, DrawsOfARowAreNeighboursWithItsMoments) {
  const Gaussian q{at::tensor({-3.0F, 0.0F, 2.0F, 5.0F}).view({2, 2}),
                   at::tensor({0.0F, -2.0F, 1.0F, -4.0F}).view({2, 2})};
  Rng rng(11);
  const Tensor z = draw(q, normal(20000, 2, rng.next())).view({2, 10000, 2});
  for (std::int64_t b = 0; b < 2; ++b)
    for (std::int64_t j = 0; j < 2; ++j) {
      const Tensor some = z[b].select(1, j).to(at::kDouble);
      const double s = std::exp(q.log_variance[b][j].item<double>() / 2);
      EXPECT_NEAR(some.mean().item<double>(), q.mean[b][j].item<double>(), one_in_a_million * s / 100);
      EXPECT_NEAR(some.std().item<double>() / s, 1, one_in_a_million / std::sqrt(2e4));
    }
}

// ---------------------------------------------------------------- beginnings and refusals

TEST(Vae, BeginsAtTheMarginals) {
  Rng rng(15);
  Tensor x = bits_tensor(4000, 6, rng, 0.2);
  x.select(1, 3).fill_(1);
  VaeOptions options;
  options.latent = 2, options.hidden = "8";
  Vae vae(options, {}, bits_shape(6));
  vae.initialise(x, rng);
  for (auto& item : vae.named_parameters())
    if (item.key() == "decoder.output.weight") item.value().detach().zero_();
  const Doubles mean = doubles(vae.decode(at::zeros({1, 2})));
  EXPECT_NEAR(mean[0], x.select(1, 0).mean().item<double>(), 1e-3);
  EXPECT_NEAR(mean[3], 1, 1e-3);
  EXPECT_LT(mean[3], 1);
}

TEST(Vae, RefusesWhatIsNoBit) {
  const auto vae = make_vae(4, 2, 0.1);
  Tensor x = at::zeros({3, 4});
  vae->check_data(x, "file");
  x[2][1] = 0.5;
  expect_says(error_of(ErrorKind::data, [&] { vae->check_data(x, "file", 10); }),
              {"file", "0.5", "12", "column 1"});
  x[2][1] = std::nanf("");
  vae->check_data(x, "file");
  expect_says(error_of(ErrorKind::data,
                       [&] {
                         vae->check_data(at::zeros({3, 5}), "file");
                       }),
              {"4 columns", "5"});
  VaeLearning learning;
  learning.importance = 5, learning.free_bits = 1;
  expect_says(error_of(ErrorKind::usage, [&] { learning.check(); }), {"free_bits", "importance"});
}

}  // namespace
}  // namespace deepgen::vae_test
