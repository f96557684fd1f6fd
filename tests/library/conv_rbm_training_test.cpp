// Gradients of the convolutional machine against automatic differentiation, the machine of rbm.h as a special
// case, and what it learns.
#include "tests/library/plain_conv_rbm.h"
#include "tests/library/runs.h"
#include "tests/library/small_cases.h"

namespace deepgen::conv_rbm_training_test {
namespace {

using namespace machines;

ConvRbmLearning learning(const std::string& how, std::int64_t steps = 1, double sparsity = 0) {
  ConvRbmLearning l;
  l.learning = how, l.gibbs_steps = steps, l.sparsity = sparsity, l.sparsity_cost = 0.5, l.chains = 50;
  return l;
}

// The gradients of the mean of -F by automatic differentiation of plain torch operations, in double precision: of
// weights, visible_bias, hidden_bias.
std::vector<Tensor> slopes_of_free_energy(const ConvRbm& machine, const Tensor& rows) {
  const auto leaf = [](const Tensor& p) { return p.detach().to(at::kDouble).clone().requires_grad_(true); };
  const Tensor w = leaf(machine.weights), b = leaf(machine.visible_bias), c = leaf(machine.hidden_bias);
  const std::int64_t batch = rows.size(0), C = machine.picture()[0], H = machine.picture()[1],
                     W = machine.picture()[2];
  const bool gaussian = machine.visible_layer().all(UnitKind::gaussian);
  const Tensor x = rows.to(at::kDouble).view({batch, C, H, W});
  const Tensor sigma = gaussian ? machine.visible_deviation.to(at::kDouble).view({1, C, 1, 1})
                                : at::ones({1, C, 1, 1}, at::kDouble);
  const Tensor bias = b.size(0) == C ? b.view({1, C, 1, 1}) : b.view({1, C, H, W});
  const Tensor a = at::conv2d(x / sigma, w.permute({3, 2, 0, 1}), c);  // [B, K, map height, map width]
  const std::int64_t down = machine.blocks().down(), right = machine.blocks().right();
  const Tensor blocks = a.view({batch, a.size(1), a.size(2) / down, down, a.size(3) / right, right})
                            .permute({0, 1, 2, 4, 3, 5})
                            .reshape({batch, -1, down * right});
  const Tensor off = at::zeros({batch, blocks.size(1), 1}, at::kDouble);
  const Tensor value = (x * bias / sigma.square()).sum() + at::logsumexp(at::cat({blocks, off}, 2), 2).sum();
  return torch::autograd::grad({value / static_cast<double>(batch)}, {w, b, c});
}

std::vector<ConvSmall> learners() {
  return {{},
          {.picture = {2, 3, 5}, .filters = 3, .filter = 2},
          {.picture = {1, 4, 4}, .filter = 2, .pooling = 3, .bias = "pixel"},
          {.picture = {2, 3, 5}, .filter = 2, .values = ValueKind::real},
          {.values = ValueKind::real, .bias = "pixel"},
          {.values = ValueKind::grey, .units = "expected_bits"}};
}

TEST(ConvRbmGradient, TheDataPhaseEqualsAutomaticDifferentiation) {
  for (const ConvSmall& small : learners()) {
    const auto machine = conv_rbm(small, 0.7, 3);
    Rng rng(5);
    const Tensor x = rows_of_shape(small.shape(), 30, rng);
    const ConvMoments ours = machine->moments(x, machine->mean_h_given_v(x));
    const std::vector<Tensor> wanted = slopes_of_free_energy(*machine, x);
    expect_near(doubles(ours.weights.flatten()), doubles(wanted[0].flatten()), 1e-5, "weights");
    expect_near(doubles(ours.visible_bias), doubles(wanted[1]), 1e-5, "visible biases");
    expect_near(doubles(ours.hidden_bias), doubles(wanted[2]), 1e-5, "hidden biases");
  }
}

// The model's phase is that of the chain's end, the data's subtracted; the chain is repeated here step by step.
TEST(ConvRbmGradient, OfContrastiveDivergenceIsTheDifferenceOfTheEndsOfItsChain) {
  for (const std::int64_t steps : {1, 3}) {
    const auto machine = conv_rbm({.filters = 3}, 0.7, 7, learning("cd", steps));
    Rng rows(9), a(11), b(11);
    const Tensor x = bits_tensor(40, 16, rows);
    machine->gradients(x, {}, a);
    Tensor h = machine->sample_h_given_v(x, b), v;
    for (std::int64_t k = 0; k < steps; ++k) {
      v = machine->sample_v_given_h(h, b);
      h = machine->sample_h_given_v(v, b);
    }
    const std::vector<Tensor> model = slopes_of_free_energy(*machine, v),
                              data = slopes_of_free_energy(*machine, x);
    const std::vector<Tensor> ours = {machine->weights.grad(), machine->visible_bias.grad(),
                                      machine->hidden_bias.grad()};
    for (std::size_t i = 0; i < 3; ++i)
      expect_near(doubles(ours[i].flatten()), doubles((model[i] - data[i]).flatten()), 2e-5, "gradient");
  }
}

TEST(ConvRbmGradient, PersistentChainsGoOn) {
  const auto machine = conv_rbm({}, 0.7, 13, learning("pcd"));
  Rng rng(15), other(17);
  machine->gradients(bits_tensor(20, 16, rng), {}, rng);
  const Tensor first = machine->chains.clone();
  EXPECT_EQ(first.sizes(), at::IntArrayRef({50, machine->blocks().units()}));
  machine->gradients(bits_tensor(20, 16, rng), {}, rng);
  EXPECT_FALSE(at::equal(first, machine->chains));
  // The next update begins where the chains stand, whatever the rows are.
  const Tensor stand = machine->chains.clone();
  const Tensor one = bits_tensor(20, 16, other), two = bits_tensor(20, 16, other);
  std::vector<Tensor> ends;
  for (const Tensor& x : {one, two}) {
    NoGradGuard no_graph;
    machine->chains.copy_(stand);
    Rng equal(19);
    machine->gradients(x, {}, equal);
    ends.push_back(machine->chains.clone());
  }
  expect_bit_equal(ends[0], ends[1], "chains");
}

// The pull of sparsity: at hidden biases alone, places times the distance of the mean activity from the target.
TEST(ConvRbmGradient, SparsityPullsAtTheHiddenBiases) {
  const ConvSmall small = {.filters = 3};
  const auto plain = conv_rbm(small, 0.7, 21, learning("cd")),
             sparse = conv_rbm(small, 0.7, 21, learning("cd", 1, 0.1));
  Rng rows(23), a(25), b(25);
  const Tensor x = bits_tensor(40, 16, rows);
  plain->gradients(x, {}, a), sparse->gradients(x, {}, b);
  expect_bit_equal(plain->weights.grad(), sparse->weights.grad(), "weights");
  expect_bit_equal(plain->visible_bias.grad(), sparse->visible_bias.grad(), "visible biases");
  const Tensor activity = plain->mean_h_given_v(x).to(at::kDouble).reshape({-1, 3}).mean(0);
  const Tensor pull = (sparse->hidden_bias.grad() - plain->hidden_bias.grad()).to(at::kDouble);
  expect_near(doubles(pull), doubles((activity - 0.1) * (0.5 * 4)), 1e-5, "pull");  // maps of 2 x 2
}

// ---------------------------------------------------------------- the machine of rbm.h

struct Pair {
  std::shared_ptr<ConvRbm> conv;
  std::shared_ptr<Rbm> dense;
};

// Filters of the size of the picture and no pooling.
Pair equal_machines(std::int64_t gibbs_steps) {
  Pair pair;
  pair.conv = conv_rbm({.picture = {1, 3, 3}, .filters = 5, .filter = 3, .pooling = 1, .bias = "pixel"}, 0.8,
                       27, learning("cd", gibbs_steps));
  RbmLearning rule;
  rule.learning = "cd", rule.centring = false, rule.gibbs_steps = std::to_string(gibbs_steps);
  pair.dense = make_rbm(9, 5, 1, 3, rule);
  NoGradGuard no_graph;
  pair.dense->weights.copy_(pair.conv->weights.view({9, 5}));
  pair.dense->visible_bias.copy_(pair.conv->visible_bias);
  pair.dense->hidden_bias.copy_(pair.conv->hidden_bias);
  pair.dense->data_mean.copy_(pair.conv->data_mean);
  return pair;
}

TEST(ConvRbmAsRbm, ScoresAndCodesAreEqual) {
  const auto [conv, dense] = equal_machines(1);
  const Tensor x = all_states(9);
  expect_near(doubles(conv->free_energy(x)), doubles(dense->free_energy(x)), 1e-5, "free energies");
  EXPECT_NEAR(*conv->exact_log_partition(), *dense->exact_log_partition(), 1e-9);
  EXPECT_NEAR(conv->log_base_partition(), dense->log_base_partition(), 1e-9);
  EXPECT_EQ(conv->enumeration_units(), dense->enumeration_units());
  expect_near(doubles(conv->encode(x).flatten()), doubles(dense->encode(x).flatten()), 1e-6, "codes");
  expect_near(doubles(*conv->pseudo_log_likelihood(x)), doubles(*dense->pseudo_log_likelihood(x)), 2e-5,
              "pseudo");
  expect_bit_equal(conv->filters(), dense->filters(), "filters");
}

TEST(ConvRbmAsRbm, GradientsAndChainsAreEqual) {
  for (const std::int64_t steps : {1, 3}) {
    const auto [conv, dense] = equal_machines(steps);
    Rng rows(29), a(31), b(31);
    const Tensor x = bits_tensor(60, 9, rows);
    conv->gradients(x, {}, a), dense->gradients(x, {}, b);
    expect_near(doubles(conv->weights.grad().flatten()), doubles(dense->weights.grad().flatten()), 1e-5,
                "weights");
    expect_near(doubles(conv->visible_bias.grad()), doubles(dense->visible_bias.grad()), 1e-5, "visible");
    expect_near(doubles(conv->hidden_bias.grad()), doubles(dense->hidden_bias.grad()), 1e-5, "hidden");
    Rng c(33), d(33);
    expect_near(doubles(conv->chain_steps(x, 5, c).flatten()), doubles(dense->chain_steps(x, 5, d).flatten()),
                0, "chains");
  }
}

// ---------------------------------------------------------------- beginning and filters

TEST(ConvRbmTraining, BeginsAtTheMomentsOfTheData) {
  Rng rng(35);
  const Tensor x = bits_tensor(400, 16, rng, 0.2);
  for (const char* bias : {"channel", "pixel"}) {
    auto machine = new_conv_rbm({.bias = bias});
    machine->initialise(x, rng);
    const Tensor mean = machine->visible_layer().mean(machine->visible_natural().theta, {}).squeeze(0);
    const Tensor wanted = std::string(bias) == "pixel" ? x.mean(0) : x.mean().expand({16});
    expect_near(doubles(mean), doubles(wanted), 0.01, bias);
  }
  auto real = new_conv_rbm({.picture = {2, 2, 2}, .filter = 1, .pooling = 2, .values = ValueKind::real});
  Tensor values = normal_tensor({2000, 8}, 1, rng);
  values.narrow(1, 4, 4).mul_(3).add_(5);
  values[7][2] = std::nanf("");
  real->initialise(values, rng);
  expect_near(doubles(real->visible_deviation), {0.7, 2.1}, 0.06, "sigma");
  expect_near(doubles(real->visible_bias), {0, 5}, 0.15, "biases");
}

TEST(ConvRbmTraining, FiltersStandInTheMiddleOfThePicture) {
  const auto machine = conv_rbm({.picture = {2, 5, 7}, .filters = 2, .filter = 2}, 1, 37);
  const Tensor pictures = machine->filters().view({2, 2, 5, 7});
  const Tensor wanted = machine->weights.permute({3, 2, 0, 1});
  expect_bit_equal(pictures.narrow(2, 1, 2).narrow(3, 2, 2).contiguous(), wanted.contiguous(), "weights");
  EXPECT_NEAR(pictures.abs().sum().item<double>(), wanted.abs().sum().item<double>(), 1e-4)
      << "zero elsewhere";
}

// ---------------------------------------------------------------- runs

const small_cases::Instance pictures{"conv_rbm", 0};

runs::Assignments settings(const std::string& how, const std::string& epochs) {
  return {"model.filters=3",           "model.filter=3",        "training.learning=" + how,
          "training.chains=40",        "training.rate=0.02",    "training.batch=20",
          "training.epochs=" + epochs, "training.sparsity=0.1", "training.sparsity_cost=0.1"};
}

TEST(ConvRbmTraining, StoppedAndResumedIsTheSame) {
  const Dataset data = small_cases::labelled_set(pictures.shape(16, 3), 3);
  for (const std::string how : {"cd", "pcd"})
    runs::expect_equal_runs(runs::straight(settings(how, "3"), data, 7, "conv_rbm"),
                            runs::in_sittings(settings(how, "3"), data, {2, 5}, 7, "conv_rbm"), how);
}

TEST(ConvRbmTraining, DoesNotDependOnTheNumberOfThreads) {
  const Dataset data = small_cases::labelled_set(pictures.shape(16, 3), 5);
  Checkpoint results[2];
  for (const int count : {1, 4}) {
    const Threads threads(count);
    results[count / 4] = runs::straight(settings("pcd", "3"), data, 7, "conv_rbm");
  }
  runs::expect_equal_runs(results[0], results[1], "threads");
}

// Pictures that are nearly all on or nearly all off: by one bias alone each has -16 log 2, with its kind known
// some -4 nats. One step of contrastive divergence ends where its chains cannot see the other kind.
TEST(ConvRbmTraining, RaisesTheLikelihood) {
  Dataset data = small_cases::labelled_set(pictures.shape(16, 3), 7);
  Rng rng(39);
  for (Split* split : {&data.train, &data.valid})
    for (std::int64_t r = 0; r < split->rows(); ++r)
      split->x[r].copy_(bits_tensor(1, 16, rng, r % 2 == 0 ? 0.97 : 0.03)[0]);
  for (const auto& [how, gain] : {std::pair<std::string, double>{"cd", 0.3}, {"pcd", 2}}) {
    const auto trainer = runs::trainer_for(
        {"model.filters=3", "model.filter=3", "model.weight_scale=0.1", "training.learning=" + how,
         "training.rate=0.02", "training.batch=20", "training.epochs=80"},
        data, 7, "conv_rbm");
    Observer silent;
    trainer->run(silent);
    const fixtures::Folder folder;
    const std::string path = folder.path("model.safetensors");
    save_checkpoint(path, trainer->checkpoint());
    const auto model = std::dynamic_pointer_cast<ConvRbm>(load_model(load_checkpoint(path), path));
    ASSERT_TRUE(model);
    const double log_prob =
        -model->free_energy(data.train.x).mean().item<double>() - *model->exact_log_partition();
    EXPECT_GT(log_prob, -16 * std::log(2.0) + gain) << how;
  }
}

TEST(ConvRbmTraining, FillsTheGapsOfItsRows) {
  const auto machine = conv_rbm({}, 0.2, 41);
  Rng rng(43);
  Tensor x = bits_tensor(30, 16, rng);
  x[3][4] = std::nanf(""), x[8][0] = std::nanf("");
  machine->gradients(x, {}, rng);
  for (const Tensor& p : machine->parameters()) EXPECT_TRUE(p.grad().isfinite().all().item<bool>());
  const Metrics line = machine->diagnose(x, {}, rng);
  for (const auto& [name, value] : line) EXPECT_TRUE(std::isfinite(value)) << name;
  EXPECT_EQ(machine->diverged(line), "") << "a machine of small weights";
}

}  // namespace
}  // namespace deepgen::conv_rbm_training_test
