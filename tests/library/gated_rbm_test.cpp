// The gated machine: conditionals by enumeration, the gradients of both objectives, the gauge, and that it
// learns how pictures were moved. (Free energies, log Z, chains and annealing of bits: laws_test.cpp.)
//
// Each statistical check fails by chance once in a million runs of a fresh seed; the seeds are fixed.
#include "tests/library/plain_gated_rbm.h"
#include "tests/library/runs.h"

namespace deepgen::gated_rbm_test {
namespace {

using namespace machines;

struct Sizes {
  std::int64_t columns = 6, factors = 4, mappings = 3, first = 0;
};

std::shared_ptr<GatedRbm> machine(const Sizes& sizes, double scale, const std::string& learning = "pcd",
                                  const std::string& objective = "joint",
                                  ValueKind values = ValueKind::binary) {
  GatedRbmOptions options;
  options.factors = sizes.factors, options.mappings = sizes.mappings, options.first_columns = sizes.first;
  GatedRbmLearning how;
  how.learning = learning, how.objective = objective, how.chains = 30;
  DataShape data = bits_shape(sizes.columns);
  data.values = values;
  auto model = std::make_shared<GatedRbm>(options, how, data);
  Rng rng(3);
  model->initialise({bits_tensor(40, sizes.columns, rng, 0.4), {}}, rng);
  randomise(*model, scale, rng);
  return model;
}

// ---------------------------------------------------------------- conditionals

TEST(GatedRbm, ConditionalsAreThoseOfTheJoint) {
  const auto model = machine({.columns = 5, .first = 2}, 0.9);
  ASSERT_EQ(model->first(), 2);
  const PlainGatedRbm plain(*model);
  Rng rng(5);
  for (std::int64_t state = 0; state < 32; state += 3) {
    const Doubles x = plain.cells(state);
    const Tensor row = at::tensor(x).to(at::kFloat).unsqueeze(0);
    for (std::int64_t h = 0; h < 8; ++h) {
      const Tensor units =
          at::tensor({real(h & 1), real(h >> 1 & 1), real(h >> 2 & 1)}, at::kFloat).unsqueeze(0);
      const auto drawn = model->draw_visible(row, units, 1, {}, rng);
      Doubles now = x;
      for (std::size_t i = 0; i < 5;
           ++i) {  // the first part given y and h, the second given the x that was drawn
        if (i == 2) now[0] = drawn.sample[0][0].item<double>(), now[1] = drawn.sample[0][1].item<double>();
        Doubles on = now, off = now;
        on[i] = 1, off[i] = 0;
        const double odds = plain.log_joint(on, h) - plain.log_joint(off, h);
        EXPECT_NEAR(drawn.mean[0][static_cast<std::int64_t>(i)].item<double>(), 1 / (1 + std::exp(-odds)),
                    1e-5);
      }
    }
    // Mapping units given both parts.
    const Tensor code = model->encode({row, {}});
    for (std::int64_t k = 0; k < 3; ++k) {
      const double odds = plain.log_joint(x, std::int64_t{1} << k) - plain.log_joint(x, 0);
      EXPECT_NEAR(code[0][k].item<double>(), 1 / (1 + std::exp(-odds)), 1e-5);
    }
  }
}

// The other part given the first: a clamped chain of pairs.
TEST(GatedRbm, TheSecondPartIsDrawnGivenTheFirst) {
  const auto model = machine({}, 0.8);
  const PlainGatedRbm plain(*model);
  const Doubles logs = plain.log_unnormalised();
  const std::int64_t first = 0b101;
  Doubles conditional(logs.size());
  double total = 0;
  for (std::size_t s = 0; s < logs.size(); ++s)
    if ((static_cast<std::int64_t>(s) & 7) == first) total += conditional[s] = std::exp(logs[s]);
  for (double& each : conditional) each /= total;
  Rng rng(7);
  Tensor x = bits_tensor(30000, 6, rng);
  x.narrow(1, 0, 3).copy_(at::tensor({1.0F, 0.0F, 1.0F}).expand({30000, 3}));
  const Tensor known = (at::arange(6) < 3).expand({30000, 6});
  expect_drawn_from(model->clamped_steps(x, 100, known, rng), conditional, "given the first part");
}

// ---------------------------------------------------------------- gradient

struct Twin {
  explicit Twin(const GatedRbm& model) : first(model.first()), mean(model.data_mean.to(at::kDouble)) {
    for (const Tensor& p : model.parameters())
      leaves.push_back(p.detach().to(at::kDouble).clone().requires_grad_(true));
  }
  Tensor free_energy(const Tensor& v) const {
    const Tensor wide = v.to(at::kDouble), u = wide - mean;
    const Tensor f = u.narrow(1, 0, first).mm(leaves[0]),
                 g = u.narrow(1, first, u.size(1) - first).mm(leaves[1]);
    const Tensor t = (f * g).mm(leaves[2]) + leaves[3];
    return -(wide.mv(leaves[4]) + at::softplus(t, 1, 40).sum(1));
  }
  Doubles gradient(const Tensor& loss) const {
    Doubles all;
    for (const Tensor& each : torch::autograd::grad({loss}, leaves))
      for (const double g : doubles(each)) all.push_back(g);
    return all;
  }
  std::int64_t first;
  Tensor mean;
  std::vector<Tensor> leaves;  // input_factors, output_factors, mapping_factors, mapping_bias, visible_bias
};

Doubles gradient_of(GatedRbm& model, const Tensor& x, std::uint64_t seed) {
  Rng rng(seed);
  model.gradients({x, {}}, {}, rng);
  Doubles all;
  for (const Tensor& p : model.parameters())
    for (const double g : doubles(p.grad())) all.push_back(g);
  return all;
}

TEST(GatedRbm, GradientEqualsAutomaticDifferentiation) {
  for (const ValueKind values : {ValueKind::binary, ValueKind::grey})
    for (const double scale : {0.2, 0.8}) {
      const auto model = machine({.columns = 7, .first = 4}, scale, "pcd", "joint", values);
      Rng rng(11);
      const Tensor x = bits_tensor(25, 7, rng, 0.4);
      const Doubles ours = gradient_of(*model, x, 13);
      const Twin twin(*model);
      const Tensor loss = twin.free_energy(x).mean() - twin.free_energy(model->chains).mean();
      expect_near(ours, twin.gradient(loss), 2e-5, "gradient");
    }
}

// Chains begun at the data and run for long are draws of the model given x: on average the gradient is that
// of -log p(y | x), with the sum over y by enumeration.
TEST(GatedRbm, TheConditionalObjectiveIsLogPOfTheSecondPart) {
  const auto model = machine({}, 0.5, "cd", "conditional");
  dynamic_cast<GatedRbmLearning&>(model->learning()).gibbs_steps = 30;
  Rng rng(17);
  const Tensor x = bits_tensor(10, 6, rng, 0.4), seconds = all_states(3);
  const Twin twin(*model);
  std::vector<Tensor> log_z;
  for (std::int64_t r = 0; r < 10; ++r) {
    const Tensor rows = at::cat({x[r].narrow(0, 0, 3).expand({8, 3}), seconds}, 1);
    log_z.push_back(at::logsumexp(-twin.free_energy(rows), 0));
  }
  const Tensor loss = (twin.free_energy(x) + at::stack(log_z)).mean();
  const Doubles wanted = twin.gradient(loss);
  Moments moments;
  for (std::uint64_t seed = 0; seed < 1500; ++seed) moments.add(gradient_of(*model, x, seed));
  EXPECT_LT(moments.largest_z(wanted, 2e-5), 5.9);  // 45 numbers
  // The biases of what is held are not learnt.
  const Doubles once = gradient_of(*model, x, 5);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(once[once.size() - 6 + i], 0, 1e-7);
}

TEST(GatedRbm, TheGaugeKeepsTheEnergy) {
  const auto model = machine({}, 1.0);
  const Tensor before = model->free_energy({all_states(6), {}});
  model->project({});
  EXPECT_LT((model->free_energy({all_states(6), {}}) - before).abs().max().item<double>(), 2e-5);
  const Tensor u = model->input_factors.square().sum(0), v = model->output_factors.square().sum(0),
               w = model->mapping_factors.square().sum(1);
  EXPECT_TRUE(at::allclose(u, v, 1e-4) && at::allclose(u, w, 1e-4));
}

// ---------------------------------------------------------------- learning

// Rows of n bits and the same bits shifted by -1, 0 or 1 around the ends.
Dataset shifted_bits(std::int64_t n, std::int64_t rows, std::uint64_t seed) {
  Dataset data;
  data.spec = data.name = "shifted bits";
  data.shape = {2 * n}, data.values = ValueKind::binary, data.binarize = "none";
  Rng rng(seed);
  auto pairs = [&](std::int64_t count) {
    Tensor x = at::empty({count, 2 * n});
    const Tensor first = bits_tensor(count, n, rng);
    for (std::int64_t r = 0; r < count; ++r) {
      const auto shift = static_cast<std::int64_t>(rng.below(3)) - 1;
      x[r].copy_(at::cat({first[r], first[r].roll(shift)}));
    }
    return x;
  };
  data.train.name = "train", data.valid.name = "valid", data.test.name = "test";
  data.train.x = pairs(rows), data.valid.x = pairs(300);
  return data;
}

// Bits that know nothing of each other have 2^-2n, the truth is 2^-n / 3: 2.37 nats more.
TEST(GatedRbmTraining, LearnsHowBitsAreShifted) {
  const std::int64_t n = 5;
  const Dataset data = shifted_bits(n, 3000, 19);
  const runs::Assignments how = {
      "model.factors=30",  "model.mappings=10",  "model.weight_scale=0.3",   "training.epochs=40",
      "training.batch=50", "training.rate=0.01", "training.schedule=linear", "training.gibbs_steps=10"};
  const auto model =
      std::dynamic_pointer_cast<GatedRbm>(make_model(runs::settings_of(how, "gated_rbm"), data));
  ASSERT_TRUE(model);
  Trainer own(model, data, runs::settings_of(how, "gated_rbm"), 3);
  runs::StopAfter never;
  own.run(never);
  const double log_prob =
      -model->free_energy({data.valid.x, {}}).mean().item<double>() - *model->exact_log_partition();
  EXPECT_GT(log_prob, -real(2 * n) * std::log(2.0) + 1.8);
}

TEST(GatedRbmTraining, StoppedAndResumedIsTheSame) {
  const Dataset data = shifted_bits(4, 100, 23);
  for (const runs::Assignments& rule :
       {runs::Assignments{"training.learning=pcd"}, runs::Assignments{"training.objective=conditional"}}) {
    runs::Assignments how = {"model.factors=5", "model.mappings=3", "training.batch=20", "training.epochs=3",
                             "training.chains=9"};
    how.insert(how.end(), rule.begin(), rule.end());
    runs::expect_equal_runs(runs::straight(how, data, 7, "gated_rbm"),
                            runs::in_sittings(how, data, {3, 4}, 7, "gated_rbm"), rule[0]);
  }
}

TEST(GatedRbmData, IsRefusedWithTheReason) {
  GatedRbmOptions options;
  expect_says(error_of(ErrorKind::data, [&] { GatedRbm(options, {}, bits_shape(7)); }),
              {"even number", "7", "model.first_columns"});
  options.first_columns = 7;
  expect_says(error_of(ErrorKind::usage, [&] { GatedRbm(options, {}, bits_shape(7)); }),
              {"fewer than the 7"});
  options.first_columns = 3;
  EXPECT_EQ(GatedRbm(options, {}, bits_shape(7)).first(), 3);
  GatedRbmLearning how;
  how.objective = "conditional", how.learning = "pcd";
  expect_says(error_of(ErrorKind::usage, [&] { GatedRbm(options, how, bits_shape(7)); }),
              {"training.learning", "cd"});
}

}  // namespace
}  // namespace deepgen::gated_rbm_test
