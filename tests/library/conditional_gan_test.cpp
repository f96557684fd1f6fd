// The adversarial network given labels: its equations, its gradients, and labels that reach both networks.
#include "deepgen/models/adversarial/conditional_gan.h"

#include "tests/library/runs.h"

namespace deepgen::conditional_gan_test {
namespace {

using namespace machines;
using namespace runs;

constexpr std::int64_t classes = 3, columns = 7;

std::vector<ColumnGroup> mixed_columns() {
  return {{ColumnKind::binary, 0, 2}, {ColumnKind::softmax, 2, 3}, {ColumnKind::gaussian, 5, 2}};
}

GanOptions small_options() {
  GanOptions options;
  options.noise = 4, options.generator = "6", options.generator_activation = "tanh";
  options.discriminator = "5", options.discriminator_activation = "tanh";
  return options;
}

std::shared_ptr<ConditionalGan> make_small(Rng& rng, const GanLearning& learning = {}) {
  auto gan = std::make_shared<ConditionalGan>(
      small_options(), learning, DataShape{columns, {columns}, classes, ValueKind::mixed, mixed_columns()});
  gan->initialise({bits_tensor(12, columns, rng), at::arange(12, at::kLong).remainder(classes)}, rng);
  randomise(*gan, 0.7, rng);
  return gan;
}

Tensor parameter(const ConditionalGan& gan, const std::string& name) {
  return gan.named_parameters()[name].detach();
}

Turn turn_of(int phase) { return {.stage = 0, .phase = phase, .repeat = 0, .step = 0, .steps = 10}; }

TEST(ConditionalGan, BothNetworksAreThoseOfTheirEquations) {
  Rng rng(1);
  const auto gan = make_small(rng);
  const Tensor label = at::eye(classes).index_select(0, at::arange(9, at::kLong).remainder(classes));
  const auto layer = [&](const Tensor& x, const std::string& name) {
    return at::addmm(parameter(*gan, name + ".bias"), x, parameter(*gan, name + ".weight"));
  };
  const Tensor z = normal_tensor({9, 4}, 1, rng);
  const Tensor a = layer(at::tanh(layer(at::cat({z, label}, 1), "generator.layer0")), "output");
  const Tensor x = at::cat({a.narrow(1, 0, 2).sigmoid(), a.narrow(1, 2, 3).softmax(1), a.narrow(1, 5, 2)}, 1);
  expect_near(doubles(gan->generate(z, label)), doubles(x), 1e-5, "cases");
  const Tensor logits =
      layer(at::tanh(layer(at::cat({x, label}, 1), "discriminator.layer0")), "discriminator.logit");
  expect_near(doubles(gan->logits(x, label)), doubles(logits), 1e-4, "logits");
}

TEST(ConditionalGan, GradientsAreThoseOfFiniteDifferences) {
  Rng rng(3);
  const auto gan = make_small(rng);
  const Rows batch(bits_tensor(12, columns, rng), at::arange(12, at::kLong).remainder(classes));
  for (const int phase : {0, 1}) {
    const auto cost = [&] {
      Rng own(9);
      return metric(gan->gradients(batch, turn_of(phase), own),
                    phase == 0 ? "discriminator_cost" : "generator_cost");
    };
    for (const auto& item : gan->named_parameters()) {
      if (item.key().starts_with("discriminator.") != (phase == 0)) continue;
      cost();
      const Doubles ours = doubles(item.value().grad());
      float* p = item.value().data_ptr<float>();
      for (std::size_t i = 0; i < ours.size(); ++i) {
        const float kept = p[i];
        p[i] = kept + 1e-3F;
        const double above = cost();
        p[i] = kept - 1e-3F;
        const double below = cost();
        p[i] = kept;
        const double slope = (above - below) / 2e-3;
        ASSERT_NEAR(ours[i], slope, 2e-3 + 1e-2 * std::abs(slope)) << item.key() << " [" << i << "]";
      }
    }
  }
}

// Dropout of the input leaves the label alone: with nearly all else left out it still tells the classes.
TEST(ConditionalGan, DropoutNeverLeavesOutTheLabel) {
  Rng rng(3);
  Discriminator network(columns + classes, {}, "tanh", 1);
  network.initialise(rng);
  const Tensor label = at::eye(classes), x = at::zeros({classes, columns});
  const Tensor known = network.forward(x, {}, false, label);
  for (int i = 0; i < 20; ++i)
    expect_bit_equal(network.forward(x, {0.9, 0, &rng}, false, label), known, "label");
}

TEST(ConditionalGan, EveryClassBeginsWithTheMeansOfAllRows) {
  Rng rng(3);
  ConditionalGan gan(small_options(), {}, {columns, {columns}, classes, ValueKind::mixed, mixed_columns()});
  const Tensor x = layer_rows(UnitLayer::of(mixed_columns()), 300, rng);
  gan.initialise({x, at::arange(300, at::kLong).remainder(classes)}, rng);
  const Tensor z = normal_tensor({5, 4}, 1, rng), labels = at::eye(classes);
  const auto given = [&](std::int64_t label) {
    return gan.generate(z, labels.narrow(0, label, 1).expand({5, classes}).contiguous());
  };
  for (const std::int64_t label : {1, 2}) expect_bit_equal(given(0), given(label), "class");
  NoGradGuard no_graph;
  for (auto& item : gan.named_parameters())
    if (item.key() == "output.weight") item.value().zero_();
  expect_near(doubles(given(1)[0]), doubles(x.mean(0)), 1e-5, "means");
}

TEST(ConditionalGan, RefusesWhatItCannotTake) {
  Rng rng(6);
  const auto gan = make_small(rng);
  expect_says(error_of(ErrorKind::data, [&] { ConditionalGan({}, {}, bits_shape(4)); }), {"labels", "gan"});
  const Tensor x = at::zeros({2, columns});
  expect_says(error_of(ErrorKind::data, [&] { gan->gradients(x, turn_of(0), rng); }), {"label"});
  expect_says(error_of(ErrorKind::data, [&] { gan->sample_given(at::full({2}, 3, at::kLong), rng); }),
              {"0 to 2", "3"});
  EXPECT_EQ(gan->sample_given(at::empty({0}, at::kLong), rng).sizes(), at::IntArrayRef({0, columns}));
}

}  // namespace
}  // namespace deepgen::conditional_gan_test
