// The gated PixelCNN: its hand-written gradient, its order, its sums, what it keeps while sampling, its
// chain.
//
// Each statistical check fails by chance once in a million runs of a fresh seed; the seeds are fixed.
#include "deepgen/models/autoregressive/pixelcnn.h"

#include "deepgen/core/interruption.h"
#include "deepgen/core/observer.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/parts/nets/nets.h"
#include "deepgen/tasks/tasks.h"
#include "tests/library/machines.h"

namespace deepgen::pixelcnn_test {
namespace {

using namespace machines;

PixelNetSizes net_sizes(std::int64_t height, std::int64_t width, std::int64_t blocks,
                        std::int64_t classes = 0) {
  PixelNetSizes s;
  s.height = height, s.width = width, s.blocks = blocks, s.classes = classes;
  s.channels = 4, s.first_kernel = 5, s.head = 6, s.inputs = 2, s.outputs = 3;
  return s;
}

std::shared_ptr<PixelNet> random_net(const PixelNetSizes& sizes, double scale = 0.5) {
  auto net = std::make_shared<PixelNet>(sizes);
  NoGradGuard no_graph;
  Rng rng(3);
  for (auto& item : net->named_parameters())
    item.value().copy_(normal_tensor(item.value().sizes(), scale, rng));
  return net;
}

DataShape pictures_of(const std::vector<std::int64_t>& shape) {
  std::int64_t columns = 1;
  for (const std::int64_t side : shape) columns *= side;
  return {columns, shape, 0, ValueKind::binary, {}};
}

std::shared_ptr<PixelCnn> small_model(const std::vector<std::int64_t>& shape, double scale,
                                      std::int64_t blocks = 3) {
  PixelCnnOptions options;
  options.channels = 4, options.blocks = blocks, options.first_kernel = 5, options.head = 6;
  auto model = std::make_shared<PixelCnn>(options, PixelCnnLearning{}, pictures_of(shape));
  Rng rng(9);
  randomise(*model, scale, rng);
  return model;
}

// A smooth objective of the outputs whose gradient is easy: sum of w tanh(outputs).
struct Target {
  Tensor weights;  // [B, pixels, outputs]
  Target(std::int64_t batch, const PixelNetSizes& s) {
    Rng rng(5);
    weights = normal_tensor({batch, s.pixels(), s.outputs}, 1, rng);
  }
  PixelNet::Objective objective() const {
    return [this](std::int64_t row, const float* outputs, float* gradient) {
      const std::int64_t n = weights[0].numel();
      const float* w = weights.data_ptr<float>() + row * n;
      double sum = 0;
      for (std::int64_t i = 0; i < n; ++i) {
        const float t = std::tanh(outputs[i]);
        sum += static_cast<double>(w[i] * t);
        gradient[i] = w[i] * (1 - t * t);
      }
      return sum;
    };
  }
};

struct Work {
  Tensor pictures, labels;
};

Work random_work(std::int64_t batch, const PixelNetSizes& s) {
  Rng rng(7);
  Work work{normal_tensor({batch, s.pixels(), s.inputs}, 1, rng), {}};
  if (s.classes > 0) work.labels = at::arange(batch, at::kLong).remainder(s.classes);
  return work;
}

TEST(PixelNetwork, EqualsItsComposedTwinByName) {
  for (const PixelNetSizes& s :
       {net_sizes(5, 4, 3), net_sizes(1, 7, 2), net_sizes(6, 6, 1), net_sizes(4, 3, 2, 3)}) {
    const auto net = random_net(s);
    const Work work = random_work(5, s);
    const Tensor twin = composed::pixel_outputs(*net, work.pictures, work.labels);
    expect_near(doubles(net->outputs(work.pictures, work.labels)), doubles(twin), 2e-5, "outputs");
    const Target target(5, s);
    Rng rng(1);
    const double value = net->gradients(work.pictures, work.labels, target.objective(), rng);
    const Tensor loss = (target.weights * at::tanh(twin)).sum() / 5;
    EXPECT_NEAR(value, loss.item<double>(), 1e-5);
    for (auto& item : net->named_parameters()) {
      const Tensor wanted = torch::autograd::grad({loss}, {item.value()}, {}, true, false, true)[0];
      const Tensor known = wanted.defined() ? wanted : at::zeros_like(item.value());
      const double size = std::max(1.0, known.abs().max().item<double>());
      expect_near(doubles(item.value().grad()), doubles(known), 2e-5 * size, item.key());
    }
  }
}

// The value that `gradients` returns at p + step d and p - step d, against gradient . d, with dropout as
// drawn.
TEST(PixelNetwork, GradientsAreFiniteDifferencesUnderDropout) {
  PixelNetSizes s = net_sizes(4, 4, 2);
  s.dropout = 0.4;
  const auto net = random_net(s);
  const Work work = random_work(3, s);
  const Target target(3, s);
  auto value = [&] {
    Rng rng(11);
    return net->gradients(work.pictures, work.labels, target.objective(), rng);
  };
  NoGradGuard no_graph;
  Rng rng(13);
  for (auto& item : net->named_parameters()) {
    Tensor parameter = item.value();
    const Tensor start = parameter.clone(), direction = normal_tensor(parameter.sizes(), 1, rng);
    value();
    const double slope = (parameter.grad() * direction).sum().item<double>();
    const double step = 2e-3 / std::sqrt(real(parameter.numel()));
    parameter.copy_(start + direction * step);
    const double above = value();
    parameter.copy_(start - direction * step);
    const double below = value();
    parameter.copy_(start);
    EXPECT_NEAR((above - below) / (2 * step), slope, 0.01 * std::max(1.0, std::abs(slope))) << item.key();
  }
}

// Which pixels reach the outputs of each, seen in several pictures (a rectifier may block the way in one); a
// later one that does is a fault, and so is an earlier one that does not.
TEST(PixelNetwork, SeesAllEarlierPixelsAndNoLaterOne) {
  PixelNetSizes s = net_sizes(5, 6, 6);
  s.inputs = 1;
  const auto net = random_net(s);
  const Work work = random_work(40, s);
  const Tensor before = net->outputs(work.pictures, {});
  for (std::int64_t j = 0; j < s.pixels(); ++j) {
    Tensor changed = work.pictures.clone();
    changed.select(1, j).add_(1);
    const Tensor moved = (net->outputs(changed, {}) != before).any(2).any(0);
    for (std::int64_t i = 0; i < s.pixels(); ++i)
      ASSERT_EQ(moved[i].item<bool>(), j < i) << "pixel " << i << " of pixel " << j;
  }
}

TEST(PixelNetwork, DoesNotDependOnTheNumberOfThreads) {
  const PixelNetSizes s = net_sizes(14, 13, 4, 3);
  const auto net = random_net(s, 0.3);
  const Work work = random_work(37, s);
  const Target target(37, s);
  std::vector<Tensor> one, four;
  for (const int count : {1, 4}) {
    const Threads threads(count);
    std::vector<Tensor>& all = count == 1 ? one : four;
    Rng rng(1);
    net->gradients(work.pictures, work.labels, target.objective(), rng);
    for (const Tensor& each : net->parameters()) all.push_back(each.grad().clone());
    all.push_back(net->outputs(work.pictures, work.labels));
  }
  for (std::size_t k = 0; k < one.size(); ++k) expect_bit_equal(one[k], four[k], "threads");
}

TEST(PixelCnnModel, ProbabilitiesOfAllTinyPicturesSumToOne) {
  for (const std::vector<std::int64_t>& shape : {std::vector<std::int64_t>{3, 4}, {1, 3, 4}, {12}, {12, 1}})
    for (const double scale : {0.5, 2.0}) {
      const Doubles logs = doubles(small_model(shape, scale)->log_prob(all_states(12)));
      double sum = 0;
      for (const double each : logs) sum += std::exp(each);
      EXPECT_NEAR(sum, 1, 1e-5) << shape.size() << " dimensions, scale " << scale;
    }
}

// The slow way: the whole picture through the network for every pixel.
Tensor sampled_by_full_passes(PixelCnn& model, std::int64_t count, std::int64_t columns, const Tensor& u) {
  Tensor x = at::zeros({count, columns});
  for (std::int64_t i = 0; i < columns; ++i)
    x.select(1, i).copy_(u.select(1, i) < at::sigmoid(model.outputs(x).select(1, i).select(1, 0)));
  return x;
}

TEST(PixelCnnModel, SamplesAreThoseOfFullPasses) {
  for (const std::vector<std::int64_t>& shape : {std::vector<std::int64_t>{6, 5}, {1, 9}, {9, 1}}) {
    const auto model = small_model(shape, 0.8, 4);
    const std::int64_t columns = shape[0] * shape[1], count = 150;  // more than are drawn together
    Rng a(3), b(3);
    const Tensor slow = sampled_by_full_passes(*model, count, columns, uniform(count, columns, b.next()));
    expect_bit_equal(model->sample(count, a), slow, "samples");
  }
}

class PixelChain : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const double each : doubles(model->log_prob(all_states(9)))) p.push_back(std::exp(each));
  }
  Doubles given(const Tensor& known, std::int64_t bits) const {
    Doubles some(p.size());
    double sum = 0;
    for (std::size_t s = 0; s < p.size(); ++s) {
      bool agrees = true;
      for (std::int64_t i = 0; i < 9; ++i)
        agrees =
            agrees && (!known[i].item<bool>() || ((s >> i ^ static_cast<std::size_t>(bits) >> i) & 1) == 0);
      if (agrees) sum += some[s] = p[s];
    }
    for (double& each : some) each /= sum;
    return some;
  }
  static Tensor mask_of(const std::string& text) {
    Tensor known = at::zeros({9}, at::kBool);
    for (std::size_t i = 0; i < 9; ++i) known[static_cast<std::int64_t>(i)] = text[i] == 'k';
    return known;
  }
  std::shared_ptr<PixelCnn> model = small_model({3, 3}, 0.9);
  Doubles p;
  Rng rng{17};
  const std::int64_t value = 0b101100110;
};

// Begun at the conditional, it stays there; known cells stay bit for bit.
TEST_F(PixelChain, LeavesTheConditionalUnchanged) {
  for (const char* text : {"..k.k...k", "kk.....kk", ".......k.", "k.k.k.k.k", "........."}) {
    const Tensor known = mask_of(text);
    const Doubles wanted = given(known, value);
    const Tensor start = exact_samples(wanted, 9, 12000, rng);
    const Tensor end = model->clamped_steps(start, 2, known.expand({12000, 9}).contiguous(), rng);
    expect_drawn_from(end, wanted, text);
    EXPECT_TRUE(at::where(known, end, start).equal(start)) << text;
    EXPECT_FALSE(end.equal(start)) << text;
  }
}

// Rows whose gaps are at the end are drawn anew beside rows that move by the test.
TEST_F(PixelChain, RowsBesideEachOtherKeepTheirOwnConditional) {
  const std::vector<std::string> texts = {"kk.....kk", "kkkk.....", "..k.k...k"};
  std::vector<Tensor> starts, holds;
  for (const std::string& text : texts) {
    starts.push_back(exact_samples(given(mask_of(text), value), 9, 12000, rng));
    holds.push_back(mask_of(text).expand({12000, 9}));
  }
  const Tensor start = at::stack(starts, 1).reshape({-1, 9}), known = at::stack(holds, 1).reshape({-1, 9});
  const Tensor end = model->clamped_steps(start, 2, known, rng).view({12000, -1, 9});
  for (std::size_t m = 0; m < texts.size(); ++m)
    expect_drawn_from(end.select(1, static_cast<std::int64_t>(m)).contiguous(),
                      given(mask_of(texts[m]), value), texts[m]);
}

// The check above must see a chain that accepts everything.
TEST_F(PixelChain, WithoutItsTestWouldFail) {
  const Tensor known = mask_of(".......k.");
  const Doubles wanted = given(known, value);
  Tensor x = model->sample(12000, rng);
  x.select(1, 7).copy_(exact_samples(wanted, 9, 1, rng)[0][7].expand({12000}));
  EXPECT_GT(chi_square_z(state_numbers(x), wanted), one_in_a_million);
}

TEST_F(PixelChain, DrawsWhatIsMissingAtTheEndAtOnce) {
  const Tensor known = mask_of("kkkk.....");
  const Doubles wanted = given(known, value);
  Tensor x = exact_samples(wanted, 9, 1, rng).expand({20000, 9}).contiguous();
  x = x.masked_fill(known.logical_not(), std::nanf(""));
  Observer silent;
  expect_drawn_from(complete_rows(*model, {x, {}}, 1, rng, silent), wanted, "one step");
}

TEST_F(PixelChain, AStepOfAllPixelsIsANewSample) {
  const Tensor start = at::zeros({20000, 9});
  expect_bit_equal(model->chain_steps(start, 0, rng), start, "no step");
  expect_drawn_from(model->chain_steps(start, 1, rng), p, "one step");
}

TEST_F(PixelChain, ReachesTheConditionalFromAnywhere) {
  const Tensor known = mask_of("..k.k...k");
  const Doubles wanted = given(known, value);
  Tensor x = exact_samples(wanted, 9, 1, rng).expand({6000, 9}).contiguous();
  x = x.masked_fill(known.logical_not(), std::nanf(""));
  Observer silent;
  expect_drawn_from(complete_rows(*model, {x, {}}, 60, rng, silent), wanted, "60 steps");
}

TEST(PixelCnnModel, DrawsDoNotDependOnTheNumberOfThreads) {
  const auto model = small_model({12, 11}, 0.4);
  const Tensor x = [] {
    Rng rng(19);
    return bits_tensor(150, 132, rng);
  }();
  std::vector<Tensor> one, four;
  for (const int count : {1, 4}) {
    const Threads threads(count);
    std::vector<Tensor>& all = count == 1 ? one : four;
    Rng rng(23);
    all = {model->sample(150, rng), model->log_prob(x), model->clamped_steps(x, 2, x > 0.5, rng),
           model->chain_mean(x, rng)};
  }
  for (std::size_t k = 0; k < one.size(); ++k) expect_bit_equal(one[k], four[k], "threads");
}

class Impatient : public Observer {
 public:
  bool stop_requested() override { return true; }
};

// So few pictures are one piece of work, which takes longer than the tenth of a second until a stop is heard.
TEST(PixelCnnModel, SamplingHearsAStopBetweenTwoPixels) {
  PixelCnnOptions options;
  options.channels = 32;
  PixelCnn model(options, {}, pictures_of({28, 28}));
  Rng rng(9);
  randomise(model, 0.1, rng);
  Impatient observer;
  const InterruptionScope scope(observer, "sampling");
  expect_says(error_of(ErrorKind::interrupted, [&] { model.sample(60, rng); }), {"sampling"});
}

TEST(PixelCnnModel, RefusesWhatItCannotTake) {
  const auto model = small_model({3, 4}, 0.5);
  Tensor x = at::zeros({2, 12});
  model->check_data(x, "rows");
  x[1][5] = std::nanf("");
  expect_says(error_of(ErrorKind::data, [&] { model->check_data(x, "rows", 10); }),
              {"[rows]", "missing cell at row 11, column 5", "complete"});
  x[1][5] = 0.5;
  expect_says(error_of(ErrorKind::data, [&] { model->check_data(x, "rows"); }), {"0 or 1", "0.5"});
  expect_says(error_of(ErrorKind::data,
                       [&] {
                         model->check_data(at::zeros({2, 11}), "rows");
                       }),
              {"12 columns", "11"});
  PixelCnnOptions options;
  expect_says(error_of(ErrorKind::data,
                       [&] {
                         PixelCnn(options, {}, pictures_of({3, 8, 8}));
                       }),
              {"one channel", "3 x 8 x 8"});
  options.kernel = 4;
  expect_says(error_of(ErrorKind::usage,
                       [&] {
                         PixelCnn(options, {}, pictures_of({8, 8}));
                       }),
              {"model.kernel", "odd", "4"});
}

}  // namespace
}  // namespace deepgen::pixelcnn_test
