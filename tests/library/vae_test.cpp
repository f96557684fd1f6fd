// The variational autoencoder against numerical integration, finite differences and a twin written with plain
// torch operations.
//
// Statistical checks fail by chance once in a million runs of a fresh seed; the seeds are fixed.
#include "deepgen/models/vae.h"

#include "deepgen/ops/unit_layers.h"
#include "tests/library/machines.h"

namespace deepgen {
namespace {

using namespace machines;

std::shared_ptr<Vae> make_vae(std::int64_t columns, std::int64_t latent, double scale,
                              VaeLearning learning = {}, VaeOptions options = {}) {
  options.latent = latent, options.hidden = "6,4";
  auto vae = std::make_shared<Vae>(options, learning, bernoulli_likelihood(columns));
  Rng rng(3);
  vae->initialise({bits_tensor(50, columns, rng, 0.4), {}}, rng);
  randomise(*vae, scale, rng);
  // A wide q: weights of a narrow one may have no variance.
  NoGradGuard no_graph;
  for (auto& item : vae->named_parameters())
    if (item.key().starts_with("encoder.mean") || item.key().starts_with("encoder.log_variance"))
      item.value().mul_(0.1);
  return vae;
}

std::map<std::string, Tensor> gradients_of(Model& model, const Batch& batch, const Turn& turn, Rng rng) {
  model.gradients(batch, turn, rng);
  std::map<std::string, Tensor> all;
  for (const auto& item : model.named_parameters()) all[item.key()] = item.value().grad().clone();
  return all;
}

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
double log_prob_by_integral(Vae& vae, const Tensor& x, const Grid& grid) {
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
  const Gaussian q = vae->terms({x, {}}, 1, vae->prior_state(), rng).posterior;
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

// So large that torch would share its own loops out as well.
TEST(Vae, GradientsDoNotDependOnTheNumberOfThreads) {
  for (const bool pictures : {false, true}) {
    VaeOptions options;
    options.hidden = "40", options.latent = 5;
    if (pictures)
      options.network = "convolutional", options.channels = "4,8";
    else
      options.prior = "vamp", options.prior_components = 199;
    constexpr std::int64_t wide = 784;
    Vae vae(options, {}, bernoulli_likelihood(wide), {1, 28, 28});
    Rng rng(3);
    const Tensor x = bits_tensor(101, wide, rng, 0.3);
    std::map<std::string, Tensor> one;
    for (const int count : {1, 3, 8}) {
      const Threads threads(count);
      Rng same(5);
      vae.initialise({bits_tensor(300, wide, same, 0.3), {}}, same);
      std::map<std::string, Tensor> all = gradients_of(vae, {x, {}}, Turn{.step = 0, .steps = 1}, same);
      for (const auto& p : vae.named_parameters()) all["value of " + p.key()] = p.value().detach().clone();
      if (count == 1) one = all;
      for (const auto& [name, value] : all) expect_bit_equal(one.at(name), value, name);
    }
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

// ---------------------------------------------------------------- gradients

// Plain torch operations on the model's parameters, by their names.
struct Twin {
  std::map<std::string, Tensor> p;
  explicit Twin(Model& model) {
    for (const auto& item : model.named_parameters())
      p[item.key()] = item.value().detach().to(at::kDouble).requires_grad_(true);
  }
  Tensor layer(const std::string& name, const Tensor& x) const {
    return at::mm(x, p.at(name + ".weight")) + p.at(name + ".bias");
  }
  Tensor body(const std::string& name, Tensor x) const {
    for (const char* number : {"0", "1"}) x = at::tanh(layer(name + ".body.layer" + number, x));
    return x;
  }
  std::vector<Tensor> values() const {
    std::vector<Tensor> all;
    for (const auto& [name, value] : p) all.push_back(value);
    return all;
  }
  struct Pieces {
    Tensor mean, log_variance, z, log_likelihood, log_prior;
    Tensor log_posterior(const Tensor& m, const Tensor& v) const {
      return ((z - m).square() / v.exp() + v + std::log(2 * M_PI)).sum(1) * -0.5;
    }
  };
  Pieces pieces(const Tensor& x, std::int64_t draws, Rng rng) const {
    const Tensor wide = x.to(at::kDouble), h = body("encoder", wide);
    Pieces t{layer("encoder.mean", h), layer("encoder.log_variance", h), {}, {}, {}};
    t.mean = t.mean.repeat_interleave(draws, 0), t.log_variance = t.log_variance.repeat_interleave(draws, 0);
    const Tensor noise = normal(x.size(0) * draws, t.mean.size(1), rng.next());
    t.z = t.mean + (t.log_variance / 2).exp() * noise;
    const Tensor a = layer("decoder.output", body("decoder", t.z));
    t.log_likelihood = (wide.repeat_interleave(draws, 0) * a - at::softplus(a)).sum(1);
    t.log_prior = (t.z.square() + std::log(2 * M_PI)).sum(1) * -0.5;
    return t;
  }
};

void expect_equal_gradients(const std::map<std::string, Tensor>& ours, const Twin& twin,
                            const std::vector<Tensor>& theirs) {
  std::size_t k = 0;
  for (const auto& [name, value] : twin.p) {
    const Tensor wanted = theirs[k++];
    EXPECT_TRUE(at::allclose(ours.at(name).to(at::kDouble), wanted, 1e-3, 1e-5))
        << name << " differs by " << (ours.at(name) - wanted).abs().max().item<double>();
    EXPECT_GT(wanted.abs().max().item<double>(), 1e-5) << name << ": nothing to compare";
  }
}

class VaeGradients : public ::testing::Test {
 protected:
  void SetUp() override {
    Rng rng(13);
    x = bits_tensor(6, 7, rng);
  }
  Tensor x;
  const Turn turn{.step = 24, .steps = 100};
  const Rng noise_rng = Rng(21);
};

TEST_F(VaeGradients, OfTheEvidenceBoundEqualTheTwin) {
  VaeLearning learning;
  learning.samples = 3, learning.beta = 0.8, learning.warm_up = 0.5;
  const auto vae = make_vae(7, 3, 0.5, learning);
  const Twin twin(*vae);
  const Twin::Pieces t = twin.pieces(x, 3, noise_rng);
  const Tensor kl = (t.mean.square() + t.log_variance.exp() - t.log_variance - 1).sum(1) / 2;
  const Tensor loss = (kl * (0.8 * 25 / 50) - t.log_likelihood).mean();
  expect_equal_gradients(gradients_of(*vae, {x, {}}, turn, noise_rng), twin,
                         torch::autograd::grad({loss}, twin.values()));
}

TEST_F(VaeGradients, WithFreeBitsEqualTheTwin) {
  VaeLearning learning;
  const Twin twin(*make_vae(7, 3, 0.5));
  const Twin::Pieces t = twin.pieces(x, 1, noise_rng);
  const Tensor units = ((t.mean.square() + t.log_variance.exp() - t.log_variance - 1) / 2).mean(0);
  learning.free_bits = units.mean().item<double>();  // some units cost less, some more
  const auto vae = make_vae(7, 3, 0.5, learning);
  const Tensor loss = units.clamp_min(learning.free_bits).sum() - t.log_likelihood.mean();
  expect_equal_gradients(gradients_of(*vae, {x, {}}, turn, noise_rng), twin,
                         torch::autograd::grad({loss}, twin.values()));
}

TEST_F(VaeGradients, OfTheImportanceWeightedBoundEqualTheTwin) {
  VaeLearning learning;
  learning.samples = 2, learning.importance = 4;
  const auto vae = make_vae(7, 3, 0.5, learning);
  const Twin twin(*vae);
  const Twin::Pieces t = twin.pieces(x, 8, noise_rng);
  const Tensor log_w = t.log_likelihood + t.log_prior - t.log_posterior(t.mean, t.log_variance);
  const Tensor loss = -(at::logsumexp(log_w.view({12, 4}), 1)).mean();
  expect_equal_gradients(gradients_of(*vae, {x, {}}, turn, noise_rng), twin,
                         torch::autograd::grad({loss}, twin.values()));
}

// Written as its formula says: v^2 dlog w/dz dz/dphi for the encoder, v dlog w/dtheta for the rest.
TEST_F(VaeGradients, DoublyReparameterisedEqualTheirFormula) {
  VaeLearning learning;
  learning.importance = 4, learning.doubly_reparameterised = true;
  const auto vae = make_vae(7, 3, 0.5, learning);
  const Twin twin(*vae);
  const Twin::Pieces t = twin.pieces(x, 4, noise_rng);
  const Tensor log_w =
      t.log_likelihood + t.log_prior - t.log_posterior(t.mean.detach(), t.log_variance.detach());
  const Tensor v = at::softmax(log_w.detach().view({6, 4}), 1).view({24});
  const auto through_z = torch::autograd::grad({(v.square() * log_w).sum() / -6}, {t.z}, {}, true)[0];
  const auto encoder = torch::autograd::grad({t.z}, twin.values(), {through_z}, true, false, true);
  const auto decoder = torch::autograd::grad({(v * log_w).sum() / -6}, twin.values(), {}, true, false, true);
  std::vector<Tensor> wanted;
  std::size_t k = 0;
  for (const auto& [name, value] : twin.p) {
    wanted.push_back(name.starts_with("encoder") ? encoder[k] : decoder[k]);
    ++k;
  }
  expect_equal_gradients(gradients_of(*vae, {x, {}}, turn, noise_rng), twin, wanted);
}

// Along a random direction in each parameter, with the same noise on both sides.
TEST_F(VaeGradients, EqualFiniteDifferences) {
  for (const std::int64_t variant : {0, 1, 2, 3, 4, 5}) {
    VaeLearning learning;
    learning.samples = 2, learning.importance = variant % 2 == 0 ? 1 : 5;
    VaeOptions options;
    if (variant < 2) options.activation = "gated", options.covariance = "full";
    if (variant >= 2) options.prior = variant < 4 ? "vamp" : "mixture", options.prior_components = 3;
    if (variant >= 4) options.upper_latent = 2, options.upper_hidden = "4";
    const auto vae = make_vae(7, 3, 0.5, learning, options);
    const auto g = gradients_of(*vae, {x, {}}, turn, noise_rng);
    auto value = [&] {
      Rng own = noise_rng;
      return -vae->gradients({x, {}}, turn, own).front().second;
    };
    Rng directions(5);
    for (auto& item : vae->named_parameters()) {
      Tensor parameter = item.value().detach();  // the same numbers
      const Tensor along = normal_tensor(parameter.sizes(), 1, directions), before = parameter.clone();
      constexpr double step = 4e-3;
      parameter.copy_(before + along * step);
      const double above = value();
      parameter.copy_(before - along * step);
      const double below = value();
      parameter.copy_(before);
      const double slope = (g.at(item.key()) * along).sum().item<double>();
      EXPECT_NEAR((above - below) / (2 * step), slope, 2e-3 + 2e-3 * std::abs(slope))
          << item.key() << " of " << variant;
    }
  }
}

class VaeGradientsSlow : public VaeGradients {};

// Both estimate the gradient of the same bound; the doubly reparameterised one with less noise. With one
// layer, with two, with a full covariance, and with the divergence's part weighted.
TEST_F(VaeGradientsSlow, DoublyReparameterisedHaveTheSameMean) {
  for (const std::int64_t variant : {0, 1, 2, 3, 4}) {
    VaeOptions options;
    if (variant == 1) options.upper_latent = 2, options.upper_hidden = "4";
    if (variant == 2) options.covariance = "full";
    VaeLearning learning;
    learning.importance = 8;
    if (variant >= 3) learning.beta = variant == 3 ? 0.3 : 2;
    const auto plain = make_vae(7, 3, 0.5, learning, options);
    learning.doubly_reparameterised = true;
    const auto doubly = make_vae(7, 3, 0.5, learning, options);
    Moments difference;
    std::size_t count = 0;
    double noise = 0, doubly_noise = 0;
    const Batch batch{x.narrow(0, 0, 1).repeat({200, 1}), {}};
    for (std::uint64_t r = 0; r < 400; ++r) {
      const auto a = gradients_of(*plain, batch, turn, Rng(100 + r)),
                 b = gradients_of(*doubly, batch, turn, Rng(100 + r));
      Doubles all;
      for (const auto& [name, value] : a)
        if (name.find("encoder") != std::string::npos)
          for (const double each : doubles(value - b.at(name))) all.push_back(each);
      difference.add(all);
      count = all.size();
      noise += a.at("encoder.mean.weight").square().sum().item<double>();
      doubly_noise += b.at("encoder.mean.weight").square().sum().item<double>();
    }
    EXPECT_LT(difference.largest_z(Doubles(count, 0), 1e-7), one_in_a_million + 1.2)
        << "more than a hundred at once, variant " << variant;
    EXPECT_LT(doubly_noise, noise) << variant;
  }
}

// ---------------------------------------------------------------- beginnings and refusals

TEST(Vae, BeginsAtTheMarginals) {
  Rng rng(15);
  Tensor x = bits_tensor(4000, 6, rng, 0.2);
  x.select(1, 3).fill_(1);
  VaeOptions options;
  options.latent = 2, options.hidden = "8";
  Vae vae(options, {}, bernoulli_likelihood(6));
  vae.initialise({x, {}}, rng);
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
  expect_says(error_of(ErrorKind::data, [&] { vae->check_data(x, "file"); }), {"missing", "row 2"});
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
}  // namespace deepgen
