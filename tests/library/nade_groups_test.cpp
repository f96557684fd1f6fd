// NADE of bits and categories: gradients by hand against the composed twin, cuts and threads, and draws.
// (autoregressive_groups_test.cpp has what it owes as a model of categories, autoregressive_test.cpp bits.)
#include <fmt/format.h>

#include "deepgen/models/autoregressive/nade.h"
#include "deepgen/models/autoregressive/nade_groups.h"
#include "deepgen/ops/binary_units.h"
#include "tests/library/machines.h"
#include "tests/library/on_kernels.h"

namespace deepgen::nade_groups_test {
namespace {

using namespace machines;

// Sizes of variables side by side; 1 is a bit.
using Sizes = std::vector<std::int64_t>;

DataShape shape_of(const Sizes& sizes) {
  DataShape shape;
  shape.values = ValueKind::mixed;
  for (const std::int64_t each : sizes) {
    shape.groups.push_back({each == 1 ? ColumnKind::binary : ColumnKind::softmax, shape.columns, each});
    shape.columns += each;
  }
  shape.shape = {shape.columns};
  return shape;
}

std::shared_ptr<Nade> make_nade(const DataShape& shape, std::int64_t hidden, double scale,
                                std::uint64_t seed) {
  NadeOptions options;
  options.hidden = hidden;
  auto nade = std::make_shared<Nade>(options, NoOptions{}, shape);
  Rng rng(seed);
  nade->initialise({rows_of_shape(shape, 40, rng), {}}, rng);
  randomise(*nade, scale, rng);
  return nade;
}

// -mean log p, by the definition of a softmax and of a bit, in double precision.
Tensor plain_loss(const Tensor& logits, const Tensor& x, const Sizes& sizes) {
  const Tensor a = logits.to(at::kDouble), cells = x.to(at::kDouble);
  Tensor sum = at::zeros({x.size(0)}, at::kDouble);
  std::int64_t first = 0;
  for (const std::int64_t each : sizes) {
    const Tensor own = a.narrow(1, first, each), on = cells.narrow(1, first, each);
    const Tensor total = each == 1 ? at::logaddexp(own, at::zeros_like(own)).squeeze(1) : own.logsumexp(1);
    sum = sum + (own * on).sum(1) - total;
    first += each;
  }
  return -sum.mean();
}

std::vector<Tensor> gradients_of(Nade& nade, const Tensor& x) {
  Rng unused(0);
  nade.gradients({x, {}}, Turn{}, unused);
  std::vector<Tensor> all;
  for (const Tensor& p : nade.parameters()) all.push_back(p.grad().clone());
  return all;
}

class NadeGroups : public OnKernels {};

INSTANTIATE_TEST_SUITE_P(Kernels, NadeGroups, ::testing::ValuesIn(available_kernels()),
                         [](const auto& about) { return about.param; });

struct GroupsCase {
  Sizes sizes;
  std::int64_t hidden, rows;
};
// One variable; one row; whole products of 32 rows and what is left of them; variables wider than a vector.
const std::vector<GroupsCase> groups_cases = {{{3}, 1, 3},
                                              {{4, 1}, 7, 1},
                                              {{1, 1, 2}, 16, 32},
                                              {{3, 1, 64, 2, 1}, 37, 33},
                                              {{17, 5, 1, 1, 40, 3}, 130, 100}};

TEST_P(NadeGroups, LogitsAndGradientsEqualTheirComposedTwin) {
  for (const GroupsCase& c : groups_cases) {
    const std::string what = fmt::format("{}, {} hidden", fmt::join(c.sizes, " "), c.hidden);
    const DataShape shape = shape_of(c.sizes);
    const auto nade = make_nade(shape, c.hidden, 0.5, 5);
    Rng rng(6), unused(0);
    const Tensor x = rows_of_shape(shape, c.rows, rng);
    const VariableLayout layout = VariableLayout::of(shape.groups, shape.columns);
    const Tensor twin = composed::nade_group_logits(x, layout, nade->weights);
    expect_near(doubles(nade->logits(x)), doubles(twin), 2e-5, what);
    const Tensor loss = plain_loss(twin, x, c.sizes);
    EXPECT_NEAR(nade->log_prob({x, {}}).mean().item<double>(), -loss.item<double>(), 2e-5) << what;
    EXPECT_NEAR(nade->gradients({x, {}}, Turn{}, unused).front().second, -loss.item<double>(), 2e-5) << what;
    const auto theirs = torch::autograd::grad({loss}, nade->parameters(), {}, false, false, true);
    const std::vector<Tensor> ours = gradients_of(*nade, x);
    for (std::size_t k = 0; k < ours.size(); ++k) {
      const Tensor wanted = theirs[k].defined() ? theirs[k] : at::zeros_like(ours[k]);
      expect_near(doubles(ours[k]), doubles(wanted), 2e-5, fmt::format("{}, parameter {}", what, k));
    }
    const std::vector<Tensor> again = gradients_of(*nade, x);  // written, not added to
    for (std::size_t k = 0; k < ours.size(); ++k) expect_bit_equal(again[k], ours[k], what + ", again");
  }
}

// Bits alone have passes of their own (ops/nade.h), which say the same and are taken whether or not the data
// name their columns.
TEST_P(NadeGroups, OfBitsAloneEqualThePassesOfBits) {
  const Sizes sizes(20, 1);
  const DataShape shape = shape_of(sizes);
  const auto named = make_nade(shape, 33, 0.5, 5), plain = make_nade(bits_shape(20), 33, 0.5, 5);
  for (std::size_t k = 0; k < plain->parameters().size(); ++k)
    named->parameters()[k].detach().copy_(plain->parameters()[k].detach());
  Rng rng(6);
  const Tensor x = bits_tensor(70, 20, rng, 0.4);
  expect_bit_equal(named->logits(x), plain->logits(x), "logits");
  expect_bit_equal(plain->logits(x), nade_logits(x, plain->weights), "the passes of bits");
  const std::vector<Tensor> wanted = gradients_of(*plain, x), same = gradients_of(*named, x);
  for (std::size_t k = 0; k < wanted.size(); ++k) expect_bit_equal(same[k], wanted[k], "gradients");
  const VariableLayout layout = VariableLayout::of_bits(20);
  const NadeWeights& p = plain->weights;
  expect_near(doubles(nade_group_logits(x, layout, p)), doubles(plain->logits(x)), 2e-5, "logits");
  NadeWeights g{at::ones_like(p.w), at::ones_like(p.c), at::ones_like(p.v), at::ones_like(p.b)};
  NadeBuffers buffers;
  const Tensor log_prob = nade_group_gradients(x, layout, p, g, buffers);
  expect_near(doubles(log_prob), doubles(plain->log_prob({x, {}})), 1e-4, "log_prob");
  const std::vector<Tensor> ours = {g.w, g.c, g.v, g.b};
  for (std::size_t k = 0; k < wanted.size(); ++k)
    expect_near(doubles(ours[k]), doubles(wanted[k]), 2e-5, fmt::format("parameter {}", k));
}

// A million floats of states a thread: one thread takes these rows in four cuts, four threads in one.
TEST(NadeGroupThreads, NumbersDoNotDependOnThemNorOnTheCuts) {
  const DataShape shape = shape_of({4, 1, 20, 3, 1, 2, 9});
  const auto nade = make_nade(shape, 700, 0.1, 7);
  Rng rng(9);
  const Tensor x = rows_of_shape(shape, 730, rng);
  std::vector<Tensor> one;
  for (const int count : {1, 2, 3, 4}) {
    const Threads threads(count);
    std::vector<Tensor> all = gradients_of(*nade, x);
    all.push_back(nade->log_prob({x, {}}));
    Rng own(3);
    all.push_back(nade->sample(90, own));
    if (count == 1) one = all;
    for (std::size_t k = 0; k < one.size(); ++k) expect_bit_equal(one[k], all[k], "threads");
  }
}

// What a step writes on its way lies where the step before had it, a shorter last batch of an epoch too.
TEST(NadeGroupBuffers, AreKeptFromStepToStep) {
  const DataShape shape = shape_of({4, 1, 6});
  const auto nade = make_nade(shape, 30, 0.5, 7);
  const VariableLayout layout = VariableLayout::of(shape.groups, shape.columns);
  Rng rng(9);
  const Tensor x = rows_of_shape(shape, 100, rng), less = x.narrow(0, 0, 41);
  const NadeWeights& p = nade->weights;
  NadeWeights g{at::zeros_like(p.w), at::zeros_like(p.c), at::zeros_like(p.v), at::zeros_like(p.b)};
  NadeBuffers buffers, fresh;
  nade_group_gradients(x, layout, p, g, buffers);
  const NadeBuffers before = buffers;
  nade_group_gradients(less, layout, p, g, buffers);
  EXPECT_TRUE(buffers.states.is_same(before.states) && buffers.carried.is_same(before.carried));
  EXPECT_TRUE(buffers.start.is_same(before.start) && buffers.differences.is_same(before.differences));
  const Tensor dw = g.w.clone();
  nade_group_gradients(less, layout, p, g, fresh);
  expect_bit_equal(g.w, dw, "with room of its own");
}

// One pass gives cells that are right under the logits of all columns at once.
TEST(NadeGroupDraws, AreThoseUnderTheLogitsOfAllColumns) {
  const Sizes sizes = {3, 1, 30, 2, 1, 5};
  const DataShape shape = shape_of(sizes);
  const auto nade = make_nade(shape, 37, 0.5, 3);
  Rng a(7), b(7);
  const Tensor x = nade->sample(200, a), logits = nade->logits(x).to(at::kDouble);
  const Tensor u = uniform(200, std::ssize(sizes), b.next()).to(at::kDouble);
  std::int64_t first = 0, wrong = 0, compared = 0;
  for (std::size_t v = 0; v < sizes.size(); first += sizes[v++]) {
    const Tensor own = logits.narrow(1, first, sizes[v]), cells = x.narrow(1, first, sizes[v]);
    const Tensor share = u.select(1, static_cast<std::int64_t>(v)).unsqueeze(1);
    // A bit is on below its probability; a category is the first whose cumulative probability exceeds u.
    const Tensor border = sizes[v] == 1 ? own.sigmoid() : own.softmax(1).cumsum(1);
    const Tensor clear = ((share - border).abs() > 1e-5).all(1);
    const Tensor passed = (border <= share).sum(1);
    const Tensor right = sizes[v] == 1 ? cells.squeeze(1) == 1 - passed : cells.argmax(1) == passed;
    wrong += at::logical_and(clear, right.logical_not()).sum().item<std::int64_t>();
    compared += clear.sum().item<std::int64_t>();
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(compared, 1100);  // of 1,200
}

// At the start each variable has the shares of the sample: half of each hidden unit is on.
TEST(NadeGroupStart, IsNearTheSharesOfTheSample) {
  const DataShape shape = shape_of({3, 1, 2});
  NadeOptions options;
  options.hidden = 4;
  Nade nade(options, NoOptions{}, shape);
  const std::vector<double> four_rows = {1, 0, 0, 1, 1, 0,  //
                                         1, 0, 0, 0, 1, 0,  //
                                         0, 1, 0, 0, 1, 0,  //
                                         0, 0, 1, 0, 0, 1};
  const Tensor x = at::tensor(four_rows, at::kFloat).view({4, 6}).repeat({50, 1});
  Rng rng(4);
  nade.initialise({x, {}}, rng);
  NoGradGuard no_graph;
  nade.weights.w.zero_();  // then the units are half on everywhere
  const Tensor a = nade.logits(x).to(at::kDouble);
  expect_near(doubles(a[0].narrow(0, 0, 3).softmax(0)), {0.5, 0.25, 0.25}, 0.01, "the first category");
  EXPECT_NEAR(a[0][3].sigmoid().item<double>(), 0.25, 0.01);
  expect_near(doubles(a[0].narrow(0, 4, 2).softmax(0)), {0.75, 0.25}, 0.01, "the last category");
}

}  // namespace
}  // namespace deepgen::nade_groups_test
