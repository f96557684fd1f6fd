// The conditional convolutional adversarial network: its equations written plainly, its gradients, its runs.
#include "deepgen/models/adversarial/conditional_dcgan.h"

#include "deepgen/ops/layers.h"
#include "deepgen/tasks/tasks.h"
#include "tests/library/runs.h"

namespace deepgen::conditional_dcgan_test {
namespace {

using namespace machines;
using namespace runs;

constexpr std::int64_t classes = 3, height = 8, width = 4, columns = height * width;

DataShape shape_of(ValueKind values) { return {columns, {1, height, width}, classes, values}; }

std::shared_ptr<ConditionalDcgan> make_small(double scale, Rng& rng, ValueKind values = ValueKind::grey) {
  ConditionalDcganOptions options;
  options.noise = 4, options.filters = 2, options.units = 5;
  auto gan = std::make_shared<ConditionalDcgan>(options, ConditionalDcganLearning{}, shape_of(values));
  const Tensor y = at::arange(12, at::kLong).remainder(classes);
  gan->initialise({bits_tensor(12, columns, rng), y}, rng);
  randomise(*gan, scale, rng);
  return gan;
}

Tensor parameter(const ConditionalDcgan& gan, const std::string& name) {
  return gan.named_parameters()[name].detach();
}

// Rows [N, units] or pictures [N, C, H, W] with mean 0 and variance 1 in each unit or channel.
Tensor plain_norm(const Tensor& x) {
  const std::vector<std::int64_t> over =
      x.dim() == 2 ? std::vector<std::int64_t>{0} : std::vector<std::int64_t>{0, 2, 3};
  const Tensor centred = x - x.mean(over, true);
  return centred / (centred.square().mean(over, true) + 1e-5).sqrt();
}

Tensor joined(const Tensor& x, const Tensor& label) {
  if (x.dim() == 2) return at::cat({x, label}, 1);
  return at::cat(
      {x, label.view({x.size(0), -1, 1, 1}).expand({x.size(0), label.size(1), x.size(2), x.size(3)})}, 1);
}

// Kernels are stored [5, 5, C, N] here and [N, C, 5, 5] there.
Tensor kernel_of(const ConditionalDcgan& gan, const std::string& name) {
  return parameter(gan, name).permute({3, 2, 0, 1}).contiguous();
}

struct Case {
  Tensor x, y, z, label;
};
Case some_case(std::int64_t rows, Rng& rng) {
  const Tensor y = at::arange(rows, at::kLong).remainder(classes);
  return {normal_tensor({rows, columns}, 0.3, rng).sigmoid(), y, bits_tensor(rows, 4, rng),
          at::eye(classes).index_select(0, y)};
}

TEST(ConditionalDcgan, TheDiscriminatorIsThatOfItsEquations) {
  Rng rng(1);
  const auto gan = make_small(0.4, rng);
  const Case c = some_case(9, rng);
  Tensor h = at::leaky_relu(at::conv2d(joined(c.x.view({9, 1, height, width}), c.label),
                                       kernel_of(*gan, "discriminator_convolution1"), {}, 2, 2),
                            0.2);
  h = at::leaky_relu(
      plain_norm(at::conv2d(joined(h, c.label), kernel_of(*gan, "discriminator_convolution2"), {}, 2, 2)),
      0.2);
  h = h.permute({0, 2, 3, 1}).flatten(1);
  h = at::relu(plain_norm(at::mm(joined(h, c.label), parameter(*gan, "discriminator_dense1"))));
  const Tensor wanted = at::mm(joined(h, c.label), parameter(*gan, "discriminator_dense2"));
  expect_near(doubles(gan->logits(c.x, c.y)), doubles(wanted), 1e-4, "logits");
}

TEST(ConditionalDcgan, TheGeneratorIsThatOfItsEquations) {
  Rng rng(2);
  const auto gan = make_small(0.4, rng);
  const Case c = some_case(9, rng);
  Tensor h = at::relu(plain_norm(at::mm(joined(c.z, c.label), parameter(*gan, "generator_dense1"))));
  h = at::relu(plain_norm(at::mm(joined(h, c.label), parameter(*gan, "generator_dense2"))));
  h = h.view({9, height / 4, width / 4, 4}).permute({0, 3, 1, 2});
  // The adjoint of a convolution with stride 2 and padding 2.
  const auto grow = [&](const Tensor& x, const std::string& name) {
    return at::conv_transpose2d(joined(x, c.label), kernel_of(*gan, name), {}, 2, 2, 1);
  };
  h = at::relu(plain_norm(grow(h, "generator_deconvolution1")));
  const Tensor wanted = grow(h, "generator_deconvolution2").sigmoid().flatten(1);
  expect_near(doubles(gan->generate(c.z, c.y)), doubles(wanted), 1e-5, "pictures");
}

Turn turn_of(int phase) { return {.stage = 0, .phase = phase, .repeat = 0, .step = 0, .steps = 10}; }

bool is_discriminators(const std::string& name) { return name.starts_with("discriminator_"); }

TEST(ConditionalDcgan, GradientsAreThoseOfFiniteDifferencesAndOfOwnParameters) {
  Rng rng(3);
  const auto gan = make_small(0.5, rng);
  const Case c = some_case(12, rng);
  for (const int phase : {0, 1}) {
    const auto cost = [&] {
      Rng own(9);
      return metric(gan->gradients({c.x, c.y}, turn_of(phase), own),
                    phase == 0 ? "discriminator_cost" : "generator_cost");
    };
    for (Tensor& each : gan->parameters()) each.mutable_grad() = at::full_like(each, 7).detach();
    cost();
    std::map<std::string, Doubles> ours;
    for (const auto& item : gan->named_parameters()) {
      const bool mine = is_discriminators(item.key()) == (phase == 0);
      EXPECT_EQ((item.value().grad() == 7).all().item<bool>(), !mine) << item.key() << " in phase " << phase;
      if (mine) ours[item.key()] = doubles(item.value().grad());
    }
    for (const auto& item : gan->named_parameters()) {
      if (!ours.contains(item.key())) continue;
      const Doubles& g = ours[item.key()];
      float* p = item.value().data_ptr<float>();
      // Along one random direction for each parameter, which all of its entries have a part in.
      Rng direction(5);
      const Tensor d = normal_tensor({item.value().numel()}, 1, direction);
      double wanted = 0;
      for (std::size_t i = 0; i < g.size(); ++i) wanted += g[i] * static_cast<double>(d.data_ptr<float>()[i]);
      const Tensor kept = item.value().detach().clone();
      const auto moved = [&](double by) {
        for (std::size_t i = 0; i < g.size(); ++i)
          p[i] = kept.data_ptr<float>()[i] + static_cast<float>(by) * d.data_ptr<float>()[i];
        return cost();
      };
      bool agrees = false;
      double slope = 0;
      for (const double step : {1e-3, 3e-4, 3e-3}) {  // where a kink lies within one step, another one tells
        slope = (moved(step) - moved(-step)) / (2 * step);
        agrees = agrees || std::abs(slope - wanted) < 4e-3 + 2e-2 * std::abs(slope);
      }
      moved(0);
      EXPECT_TRUE(agrees) << item.key() << " in phase " << phase << ": " << wanted << " and " << slope;
    }
  }
}

TEST(ConditionalDcgan, SamplesDependOnTheirOwnNoiseAndLabelAlone) {
  Rng rng(4), a(5), b(5), c(5);
  const auto gan = make_small(0.5, rng);
  const Tensor y = at::arange(40, at::kLong).remainder(classes);
  const Tensor x = gan->sample_given(y, a);
  ASSERT_EQ(x.sizes(), at::IntArrayRef({40, columns}));
  EXPECT_TRUE(at::logical_and(x >= 0, x <= 1).all().item<bool>());
  expect_bit_equal(x, gan->sample_given(y, b), "equal seed");
  // The same first rows beside fewer others; another label moves its own row alone.
  expect_near(doubles(gan->sample_given(y.narrow(0, 0, 5), c)), doubles(x.narrow(0, 0, 5)), 1e-5,
              "fewer beside it");
  Rng d(5);
  Tensor other = y.clone();
  other[7] = (y[7].item<std::int64_t>() + 1) % classes;
  const Tensor moved = gan->sample_given(other, d);
  for (std::int64_t i = 0; i < 40; ++i)
    EXPECT_EQ((moved[i] - x[i]).abs().max().item<double>() > 1e-3, i == 7) << i;
  const auto binary = make_small(0.5, rng, ValueKind::binary);
  const Tensor bits = binary->sample_given(y, d);
  EXPECT_TRUE(at::logical_or(bits == 0, bits == 1).all().item<bool>());
}

TEST(ConditionalDcgan, TheTaskDrawsTheClassesInTurn) {
  Rng rng(4);
  Observer silent;
  const auto gan = make_small(0.5, rng);
  EXPECT_EQ(sample_model(*gan, {.count = 30}, rng, silent).sizes(), at::IntArrayRef({30, columns}));
  EXPECT_EQ(sample_model(*gan, {.count = 7, .label = 2}, rng, silent).size(0), 7);
}

TEST(ConditionalDcgan, RefusesWhatItCannotTake) {
  const auto with = [](const DataShape& data) {
    return error_of(ErrorKind::data, [&] { ConditionalDcgan({}, {}, data); });
  };
  const auto picture = [](std::int64_t h, std::int64_t w, std::int64_t labels, ValueKind values) {
    return DataShape{h * w, {1, h, w}, labels, values};
  };
  expect_says(with({10, {10}, 3, ValueKind::grey}), {"multiples of 4", "10"});
  expect_says(with(picture(28, 20, 0, ValueKind::grey)), {"labels", "gan"});
  expect_says(with(picture(30, 28, 3, ValueKind::grey)), {"30"});
  expect_says(with(picture(28, 28, 3, ValueKind::real)), {"real"});
  Rng rng(6);
  const auto gan = make_small(0.5, rng);
  const Tensor x = at::zeros({2, columns});
  expect_says(error_of(ErrorKind::data, [&] { gan->gradients(x, turn_of(0), rng); }), {"label"});
  expect_says(error_of(ErrorKind::data, [&] { gan->sample_given(at::full({2}, 3, at::kLong), rng); }),
              {"0 to 2", "3"});
  expect_says(error_of(ErrorKind::data, [&] { gan->check_data(x + 2, "data"); }), {"[0, 1]"});
}

// A row alone has no moments: it was an update by what momentum was left.
TEST(ConditionalDcgan, AsksForTwoRows) {
  Rng rng(7);
  const auto gan = make_small(0.5, rng);
  EXPECT_EQ(gan->fewest_rows(), 2);
  const Rows one(at::zeros({1, columns}), at::zeros({1}, at::kLong));
  for (const int phase : {0, 1}) {
    for (Tensor& each : gan->parameters()) each.mutable_grad() = at::full_like(each, 7).detach();
    Turn later = turn_of(phase);
    later.step = 5;
    expect_says(error_of(ErrorKind::usage, [&] { gan->gradients(one, later, rng); }),
                {"training.batch", "2 rows", "got 1"});
    for (const Tensor& each : gan->parameters()) EXPECT_TRUE((each.grad() == 7).all().item<bool>());
  }
}

// ---------------------------------------------------------------- runs

Dataset pictures(std::int64_t rows = 50) {
  Array labels = make_array(DType::u8, {rows});
  for (std::size_t i = 0; i < labels.bytes.size(); ++i)
    labels.bytes[i] = static_cast<std::uint8_t>(i % classes);
  RawSet raw;
  raw.name = "memory", raw.values = ValueKind::grey, raw.case_shape = {1, height, width};
  raw.arrays = {{"train", random_bytes(rows, columns, 255, 3)}, {"train_labels", labels}};
  DataOptions options;
  options.binarize = "none";
  return make_dataset(std::move(raw), options);
}

const Assignments small = {"model.noise=4",     "model.filters=3",   "model.units=6",
                           "training.epochs=3", "training.batch=20", "training.average=0.9"};

TEST(ConditionalDcganRuns, AreTheSameInSittings) {
  const Dataset data = pictures();
  ASSERT_EQ(data.shape.size(), 3U);
  const Checkpoint whole = straight(small, data, 7, "conditional_dcgan");
  for (const std::vector<std::int64_t>& stops : {std::vector<std::int64_t>{1}, {3, 2}})
    expect_equal_runs(whole, in_sittings(small, data, stops, 7, "conditional_dcgan"), "in sittings");
}

TEST(ConditionalDcganRuns, DoNotDependOnTheNumberOfThreads) {
  const Dataset data = pictures();
  Assignments wide = small;
  for (const char* each : {"model.filters=17", "model.units=300", "training.batch=50"})
    wide.emplace_back(each);
  Checkpoint one, four;
  {
    const Threads threads(1);
    one = straight(wide, data, 7, "conditional_dcgan");
  }
  {
    const Threads threads(4);
    four = straight(wide, data, 7, "conditional_dcgan");
  }
  expect_equal_runs(one, four, "threads");
}

// 41 rows in batches of 20: two updates an epoch, the last row waits for its turn in another epoch.
TEST(ConditionalDcganRuns, ALastRowAloneIsLeftOut) {
  const Dataset data = pictures(41);
  const Checkpoint whole = straight(small, data, 7, "conditional_dcgan");
  EXPECT_EQ(whole.step, 6);
  expect_equal_runs(whole, in_sittings(small, data, {1, 2}, 7, "conditional_dcgan"), "in sittings");
  EXPECT_EQ(straight(small, pictures(42), 7, "conditional_dcgan").step, 9) << "two rows are a batch";
  Assignments alone = small;
  alone.emplace_back("training.batch=1");
  expect_says(error_of(ErrorKind::usage, [&] { straight(alone, data, 7, "conditional_dcgan"); }),
              {"training.batch"});
}

TEST(ConditionalDcganRuns, PartlyLabelledRowsAreRefused) {
  Dataset data = pictures();
  data.train.y.narrow(0, 30, 9).fill_(-1);
  expect_says(error_of(ErrorKind::data, [&] { straight(small, data, 7, "conditional_dcgan"); }),
              {"label", "9 of 50", "needs no labels"});
}

}  // namespace
}  // namespace deepgen::conditional_dcgan_test
