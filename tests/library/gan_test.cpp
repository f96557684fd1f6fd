// The adversarial network of dense layers: whose parameters a phase writes, its gradients, the optimum of the
// discriminator, and its runs.
#include "deepgen/models/adversarial/gan.h"

#include <map>

#include "deepgen/models/adversarial/adversaries.h"
#include "tests/library/runs.h"

namespace deepgen::gan_test {
namespace {

using namespace machines;
using namespace runs;

struct Configuration {
  std::string name;
  std::vector<std::string> options, learning;  // "noise=3"
  ValueKind values = ValueKind::grey;
  std::vector<ColumnGroup> groups = {};
};
std::ostream& operator<<(std::ostream& out, const Configuration& c) { return out << c.name; }

std::vector<std::string> smooth() { return {"generator_activation=tanh", "discriminator_activation=tanh"}; }

std::vector<ColumnGroup> mixed_columns() {
  return {{ColumnKind::binary, 0, 2},
          {ColumnKind::softmax, 2, 3},
          {ColumnKind::gaussian, 5, 1},
          {ColumnKind::mean_field, 6, 1}};
}

const std::vector<Configuration>& configurations() {
  static const std::vector<Configuration> all = {
      {"maxout", {}, {}},
      {"leaky_dropout", {"discriminator_activation=leaky"}, {"input_dropout=0.2", "hidden_dropout=0.5"}},
      {"minimax", {"generator_activation=tanh"}, {"generator_cost=minimax"}},
      {"smoothed", {"discriminator_activation=tanh"}, {"label_smoothing=0.1"}},
      {"normal_noise", {"noise_kind=normal", "generator_activation=gated"}, {}},
      {"real", {"generator_activation=leaky", "discriminator_activation=softplus"}, {}, ValueKind::real},
      {"binary", {}, {}, ValueKind::binary},
      {"one_layer", {"generator=", "discriminator="}, {}},
      {"mixed", smooth(), {}, ValueKind::mixed, mixed_columns()},
      {"warm", smooth(), {"temperature=1"}, ValueKind::mixed, mixed_columns()},
      {"categories",
       smooth(),
       {"hidden_dropout=0.3"},
       ValueKind::mixed,
       {{ColumnKind::softmax, 0, 3}, {ColumnKind::softmax, 3, 4}}},
  };
  return all;
}

std::shared_ptr<Gan> make_gan(const Configuration& c, std::int64_t columns, double scale, Rng& rng) {
  GanOptions options;
  GanLearning learning;
  options.noise = 4, options.generator = "6,5", options.discriminator = "5,4", options.pieces = 3;
  const auto set = [](Options& into, const std::string& each) {
    set_option(into, "", each.substr(0, each.find('=')), each.substr(each.find('=') + 1));
  };
  for (const std::string& each : c.options) set(options, each);
  for (const std::string& each : c.learning) set(learning, each);
  auto gan = std::make_shared<Gan>(options, learning, DataShape{columns, {columns}, 0, c.values, c.groups});
  gan->initialise(bits_tensor(30, columns, rng), rng);
  randomise(*gan, scale, rng);
  return gan;
}

Turn turn_of(int phase) { return {.stage = 0, .phase = phase, .repeat = 0, .step = 0, .steps = 10}; }

bool is_discriminators(const std::string& name) { return name.starts_with("discriminator."); }

class GanGradients : public ::testing::TestWithParam<Configuration> {
 protected:
  void SetUp() override { gan = make_gan(GetParam(), columns, 0.7, rng); }
  double cost(int phase) {
    Rng own(9);
    return metric(gan->gradients(x, turn_of(phase), own),
                  phase == 0 ? "discriminator_cost" : "generator_cost");
  }

  const std::int64_t columns = 7;
  Rng rng{3};
  std::shared_ptr<Gan> gan;
  Tensor x = bits_tensor(12, columns, rng);
};
INSTANTIATE_TEST_SUITE_P(Kinds, GanGradients, ::testing::ValuesIn(configurations()),
                         [](const auto& about) { return about.param.name; });

TEST_P(GanGradients, APhaseWritesOnlyItsOwnParameters) {
  for (const int phase : {0, 1}) {
    for (Tensor& each : gan->parameters()) each.mutable_grad() = at::full_like(each, 7).detach();
    cost(phase);
    for (const auto& item : gan->named_parameters()) {
      const bool untouched = (item.value().grad() == 7).all().item<bool>();
      EXPECT_EQ(untouched, is_discriminators(item.key()) != (phase == 0))
          << item.key() << " in phase " << phase;
    }
  }
}

TEST_P(GanGradients, StagesOwnEveryParameterOnce) {
  const std::vector<Stage> stages = gan->stages();
  ASSERT_EQ(stages.size(), 1U);
  ASSERT_EQ(stages[0].phases.size(), 2U);
  std::size_t owned = 0;
  for (const Phase& phase : stages[0].phases) owned += phase.parameters.size();
  EXPECT_EQ(owned, gan->parameters().size());
}

TEST_P(GanGradients, AreThoseOfFiniteDifferences) {
  NoGradGuard no_graph;
  for (const int phase : {0, 1}) {
    for (const auto& item : gan->named_parameters()) {
      if (is_discriminators(item.key()) != (phase == 0)) continue;
      {
        at::AutoGradMode graph(true);
        cost(phase);  // the last one was beside the point
      }
      const Doubles ours = doubles(item.value().grad());
      float* p = item.value().data_ptr<float>();
      for (std::size_t i = 0; i < ours.size(); ++i) {
        const float kept = p[i];
        const auto slope = [&](float step) {
          double sides[2];
          for (const int side : {0, 1}) {
            p[i] = side == 0 ? kept - step : kept + step;
            at::AutoGradMode graph(true);
            sides[side] = cost(phase);
          }
          p[i] = kept;
          return (sides[1] - sides[0]) / (2.0 * static_cast<double>(step));
        };
        const auto differs = [&](double other) {
          return std::abs(ours[i] - other) > 2e-3 + 1e-2 * std::abs(other);
        };
        // Where a kink lies within one step, another one tells; float32 forbids much smaller ones.
        Doubles slopes;
        for (const float step : {2e-3F, 1e-3F, 8e-3F}) {
          slopes.push_back(slope(step));
          if (!differs(slopes.back())) break;
        }
        ASSERT_FALSE(differs(slopes.back())) << item.key() << " [" << i << "] in phase " << phase << ": "
                                             << ours[i] << " and " << slopes[0] << ", " << slopes.back();
      }
    }
  }
}

TEST_P(GanGradients, ADescentOfTheGeneratorRaisesWhatTheDiscriminatorThinks) {
  Rng before(9), after(9), same(3);
  Configuration plain = GetParam();
  plain.learning = {"generator_cost=" +
                    std::string(GetParam().name == "minimax" ? "minimax" : "non_saturating")};
  gan = make_gan(plain, columns, 0.7, same);  // without dropout the same function is judged
  const auto thought = [&](Rng& own) {
    return gan->logits(gan->relaxed(gan->noise(12, own), {}, own)).mean().item<double>();
  };
  const double first = thought(before);
  cost(1);
  NoGradGuard no_graph;
  for (const auto& item : gan->named_parameters())
    if (!is_discriminators(item.key())) item.value().sub_(item.value().grad(), 1e-2);
  EXPECT_GT(thought(after), first);
}

// A generator that is held fixed gives 1 with q = 1/4; of the data p = 0.6 are 1. So D(1) = 0.6 / 0.85 and
// D(0) = 0.4 / 1.15 at the optimum.
TEST(Gan, TheDiscriminatorReachesItsOptimum) {
  Rng rng(5);
  Configuration c{"fixed", {"noise=1", "generator=", "discriminator=6", "discriminator_activation=tanh"}, {}};
  const auto gan = make_gan(c, 1, 0.5, rng);
  NoGradGuard no_graph;
  for (auto& item : gan->named_parameters()) {
    if (item.key() == "output.weight") item.value().fill_(1e6);
    if (item.key() == "output.bias") item.value().fill_(-1e6 * std::sqrt(3.0) / 2);
  }
  Tensor x = at::zeros({5000, 1});
  x.narrow(0, 0, 3000).fill_(1);
  for (int step = 0; step < 600; ++step) {
    at::AutoGradMode graph(true);
    gan->gradients(x, turn_of(0), rng);
    at::AutoGradMode none(false);
    for (const auto& item : gan->named_parameters())
      if (is_discriminators(item.key())) item.value().sub_(item.value().grad(), step < 400 ? 1 : 0.1);
  }
  const Doubles d = doubles(gan->logits(at::tensor({1.0F, 0.0F}).view({2, 1})).sigmoid());
  // 5,000 draws give the share q with a deviation of 0.006, averaged over some twenty updates.
  EXPECT_NEAR(d[0], 0.6 / 0.85, 0.012);
  EXPECT_NEAR(d[1], 0.4 / 1.15, 0.012);
}

TEST(Gan, CostsAtKnownLogits) {
  const Tensor none = at::zeros({4, 1}), sure = at::full({4, 1}, 3.0F);
  EXPECT_NEAR(discriminator_cost(none, none, 0).item<double>(), 2 * std::log(2), 1e-7);
  EXPECT_NEAR(discriminator_cost(sure, -sure, 0).item<double>(), 2 * std::log1p(std::exp(-3)), 1e-6);
  EXPECT_NEAR(discriminator_cost(sure, -sure, 0.1).item<double>(), 2 * std::log1p(std::exp(-3)) + 0.3, 1e-6);
  EXPECT_NEAR(generator_cost(none, "non_saturating").item<double>(), std::log(2), 1e-7);
  EXPECT_NEAR(generator_cost(sure, "minimax").item<double>(), -std::log1p(std::exp(3)), 1e-6);
}

TEST(Gan, SamplesAreOfTheKindOfTheData) {
  for (const Configuration& c : configurations()) {
    Rng rng(3), a(5), b(5);
    const auto gan = make_gan(c, 7, 0.7, rng);
    const Tensor x = gan->sample(400, a);
    ASSERT_EQ(x.sizes(), at::IntArrayRef({400, 7}));
    expect_bit_equal(x, gan->sample(400, b), c.name + ": equal seed");
    EXPECT_FALSE(at::equal(x, gan->sample(400, a))) << c.name << ": the generator stood still";
    const bool within = at::logical_and(x >= 0, x <= 1).all().item<bool>();
    const bool numbers = c.values == ValueKind::real || c.name == "mixed" || c.name == "warm";
    const bool bits = c.values == ValueKind::binary || c.name == "categories";
    EXPECT_TRUE(within || numbers) << c.name;
    EXPECT_EQ(at::logical_or(x == 0, x == 1).all().item<bool>(), bits) << c.name;
    gan->check_data(x, "samples");
    const Tensor z = gan->noise(20000, a);
    EXPECT_NEAR(z.mean().item<double>(), 0, 0.02) << c.name;  // 80,000 numbers: five deviations
    EXPECT_NEAR(z.var().item<double>(), 1, 0.025) << c.name;
  }
}

TEST(Gan, DiagnosesACollapse) {
  Rng rng(3);
  const auto gan = make_gan(configurations()[0], 7, 0.7, rng);
  const Rows train(bits_tensor(200, 7, rng));
  const Metrics healthy = gan->diagnose(train, train, rng);
  EXPECT_GT(metric(healthy, "sample_spread"), 0.05);
  EXPECT_GE(metric(healthy, "discriminator_accuracy"), 0);
  EXPECT_EQ(metric(healthy, "valid_called_real"), metric(healthy, "real_called_real"));
  NoGradGuard no_graph;
  for (auto& item : gan->named_parameters())
    if (item.key() == "output.weight") item.value().zero_();
  EXPECT_LT(metric(gan->diagnose(train, {}, rng), "sample_spread"), 1e-6);
  EXPECT_EQ(relative_spread(at::ones({5, 2}), at::ones({5, 2})), 1);
}

TEST(Gan, TakesTablesAndTellsThoseOfOneKind) {
  const auto of_table = [](const std::vector<ColumnGroup>& groups) {
    return Gan({}, {}, {4, {4}, 0, ValueKind::mixed, groups});
  };
  Rng rng(3);
  Gan real = of_table({{ColumnKind::gaussian, 0, 3}, {ColumnKind::mean_field, 3, 1}});
  real.initialise(normal_tensor({20, 4}, 1, rng), rng);
  EXPECT_LT(real.sample(500, rng).min().item<float>(), 0);
  Gan bits = of_table({{ColumnKind::binary, 0, 1}, {ColumnKind::binary, 1, 3}});
  bits.initialise(bits_tensor(20, 4, rng), rng);
  const Tensor x = bits.sample(50, rng);
  EXPECT_TRUE(at::logical_or(x == 0, x == 1).all().item<bool>());
  // Bits beside a number are drawn: all rows of one code are not one row.
  Gan mixed = of_table({{ColumnKind::binary, 0, 3}, {ColumnKind::gaussian, 3, 1}});
  mixed.initialise(bits_tensor(20, 4, rng), rng);
  NoGradGuard no_graph;
  for (auto& item : mixed.named_parameters())
    if (item.key() == "output.weight") item.value().zero_();
  EXPECT_GT(mixed.sample(50, rng).narrow(1, 0, 3).var(0).min().item<float>(), 0);
  expect_says(error_of(ErrorKind::data,
                       [&] {
                         of_table({{ColumnKind::binary, 0, 3}, {ColumnKind::count, 3, 1}});
                       }),
              {"gan", "softmax", "count"});
}

TEST(Gan, RefusesGapsAndNamesModelsThatLearnFromThem) {
  Rng rng(3);
  const auto gan = make_gan({"mixed", {}, {}, ValueKind::mixed, mixed_columns()}, 7, 1, rng);
  Tensor x = at::zeros({3, 7});
  x.select(1, 3).fill_(1);
  gan->check_data(x, "data");
  x[1].narrow(0, 2, 3).fill_(std::nan(""));
  expect_says(error_of(ErrorKind::data, [&] { gan->check_data(x, "data"); }),
              {"missing", "row 1", "column 2", "orderless_nade"});
  x[1].narrow(0, 2, 3).fill_(1);
  expect_says(error_of(ErrorKind::data, [&] { gan->check_data(x, "data"); }), {"one-hot", "2 to 4", "row 1"});
}

TEST(Gan, RefusesWhatItCannotTake) {
  Rng rng(3);
  const auto grey = make_gan(configurations()[0], 3, 1, rng), real = make_gan(configurations()[5], 3, 1, rng);
  Tensor x = at::full({2, 3}, 0.5F);
  grey->check_data(x, "data");
  x[1][2] = 1.5;
  real->check_data(x, "data");
  expect_says(error_of(ErrorKind::data, [&] { grey->check_data(x, "data", 10); }),
              {"[0, 1]", "1.5", "row 11", "column 2"});
  x[1][2] = std::nan("");
  expect_says(error_of(ErrorKind::data, [&] { real->check_data(x, "data"); }),
              {"missing", "row 1", "column 2"});
  expect_says(error_of(ErrorKind::data,
                       [&] {
                         real->check_data(at::zeros({1, 4}), "data");
                       }),
              {"3 columns", "got 4"});
}

}  // namespace
}  // namespace deepgen::gan_test
