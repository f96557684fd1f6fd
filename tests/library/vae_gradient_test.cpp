// Gradients of the variational autoencoder against finite differences and a twin written with plain torch
// operations.
//
// Statistical checks fail by chance once in a million runs of a fresh seed; the seeds are fixed.
#include "deepgen/ops/unit_layers.h"
#include "tests/library/small_vaes.h"

namespace deepgen::vae_gradient_test {
namespace {

using namespace machines;
using small_vaes::gradients_of;
using small_vaes::make_vae;

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
  expect_equal_gradients(gradients_of(*vae, x, turn, noise_rng), twin,
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
  expect_equal_gradients(gradients_of(*vae, x, turn, noise_rng), twin,
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
  expect_equal_gradients(gradients_of(*vae, x, turn, noise_rng), twin,
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
  expect_equal_gradients(gradients_of(*vae, x, turn, noise_rng), twin, wanted);
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
    const auto loss = [&] {
      Rng own = noise_rng;
      return -vae->gradients(x, turn, own).front().second;
    };
    Rng directions(5);
    expect_slopes(*vae, loss, directions, 4e-3, 2e-3, 2e-3, "variant " + std::to_string(variant));
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
    const Rows batch(x.narrow(0, 0, 1).repeat({200, 1}));
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

}  // namespace
}  // namespace deepgen::vae_gradient_test
