// The convolutional machine against sums over the states of its blocks in double precision: energies,
// conditionals, log Z, chains and annealing. (Gradients and training: conv_rbm_training_test.cpp; laws of every
// machine: laws_test.cpp, energy_laws_test.cpp.)
//
// Each statistical check fails by chance once in a million runs of a fresh seed; the seeds are fixed.
#include <numbers>

#include "tests/library/plain_conv_rbm.h"

namespace deepgen::conv_rbm_test {
namespace {

using namespace machines;

const ConvSmall two_channels = {.picture = {2, 3, 5}, .filters = 2, .filter = 2};
const ConvSmall few_pixels = {.picture = {1, 3, 3}, .filters = 2, .filter = 2};

std::vector<ConvSmall> kinds_of_machines() {
  return {{},
          two_channels,
          few_pixels,
          {.picture = {8}, .filter = 3},
          {.picture = {1, 4, 4}, .filters = 1, .filter = 2, .pooling = 1, .bias = "pixel"},
          {.values = ValueKind::grey},
          {.values = ValueKind::grey, .units = "expected_bits"},
          {.picture = {2, 3, 5}, .filter = 2, .values = ValueKind::real, .bias = "pixel"},
          {.values = ValueKind::real}};
}

Tensor rows_for(const ConvSmall& small, std::int64_t count, std::uint64_t seed) {
  Rng rng(seed);
  return rows_of_shape(small.shape(), count, rng);
}

// ---------------------------------------------------------------- energies

TEST(ConvRbm, FreeEnergyIsTheSumOverTheStatesOfAllBlocks) {
  for (const ConvSmall& small : kinds_of_machines())
    for (const double scale : {0.2, 1.0}) {
      const auto machine = conv_rbm(small, scale, 3);
      const PlainConvRbm plain(*machine);
      const Tensor x = rows_for(small, 6, 5), f = machine->free_energy(x);
      for (std::int64_t r = 0; r < x.size(0); ++r) {
        const double wanted = -plain.log_unnormalised(doubles(x[r]));
        EXPECT_NEAR(f[r].item<double>(), wanted, 2e-6 * std::max(10.0, std::abs(wanted))) << r;
      }
    }
}

TEST(ConvRbm, LogPartitionIsExactByTheBlocksAndByThePixels) {
  for (const std::int64_t filters : {1, 2, 5}) {  // 5, 25 and 3125 states of the blocks; 512 of the pixels
    ConvSmall small = few_pixels;
    small.filters = filters;
    const auto machine = conv_rbm(small, 0.8, 7);
    EXPECT_EQ(machine->enumeration_units(), std::vector<std::int64_t>({0, 3, 5, 0, 0, 9})[size(filters)]);
    const double wanted = log_sum_exp(PlainConvRbm(*machine).log_unnormalised());
    ASSERT_TRUE(machine->exact_log_partition());
    EXPECT_NEAR(*machine->exact_log_partition(), wanted, 1e-10 * std::abs(wanted)) << filters;
  }
  const auto large = conv_rbm({.picture = {1, 8, 8}, .filters = 9}, 0.1, 7);
  EXPECT_FALSE(large->exact_log_partition());
}

TEST(ConvRbm, LogPartitionOfGaussianPixelsIntegratesThem) {
  const auto machine = conv_rbm({.values = ValueKind::real}, 0.6, 9);
  const PlainConvRbm plain(*machine);
  Doubles terms;
  for (const auto& on : plain.hidden_states) {
    const Doubles input = plain.input_from(on);
    double sum = 0;
    for (const std::int64_t u : on) sum += plain.c[size(u % plain.K)];
    for (std::size_t i = 0; i < input.size(); ++i) {
      const double s = plain.sigma[i], mean = plain.b[i] + s * input[i];
      sum += mean * mean / (2 * s * s) + std::log(2 * std::numbers::pi * s * s) / 2;
    }
    terms.push_back(sum);
  }
  EXPECT_NEAR(*machine->exact_log_partition(), log_sum_exp(terms), 2e-5);  // sigma and its square are float32
}

TEST(ConvRbm, MissingPixelsAreSummedOut) {
  const auto machine = conv_rbm(few_pixels, 1, 11);
  const Doubles logs = PlainConvRbm(*machine).log_unnormalised();
  Tensor x = at::full({1, 9}, std::nanf(""));
  x[0][1] = 1, x[0][4] = 0, x[0][8] = 1;
  Doubles terms;
  for (std::size_t s = 0; s < logs.size(); ++s)
    if ((s >> 1 & 1) == 1 && (s >> 4 & 1) == 0 && (s >> 8 & 1) == 1) terms.push_back(logs[s]);
  const auto marginal = machine->marginal_free_energy(x);
  ASSERT_TRUE(marginal);
  EXPECT_NEAR(marginal->item<double>(), -log_sum_exp(terms), 1e-6);
  EXPECT_FALSE(conv_rbm({.filters = 20}, 0.1, 3)->marginal_free_energy(at::full({1, 16}, std::nanf(""))));
}

TEST(ConvRbm, PseudoLikelihoodIsTheSumOfConditionals) {
  for (const ConvSmall& small : {few_pixels, ConvSmall{.picture = {2, 2, 3}, .filter = 2, .pooling = 1}}) {
    const auto machine = conv_rbm(small, 1, 13);
    const PlainConvRbm plain(*machine);
    const Doubles logs = plain.log_unnormalised();
    const auto rows = machine->pseudo_log_likelihood(all_states(plain.visible()));
    ASSERT_TRUE(rows);
    const Doubles ours = doubles(*rows);
    for (std::size_t s = 0; s < ours.size(); s += 7) {
      double wanted = 0;
      for (std::int64_t i = 0; i < plain.visible(); ++i)
        wanted += logs[s] - log_sum_exp({logs[s], logs[s ^ (std::size_t{1} << i)]});
      ASSERT_NEAR(ours[s], wanted, 2e-5) << "state " << s;
    }
  }
  const ConvSmall grey = {.values = ValueKind::grey};
  EXPECT_FALSE(conv_rbm(grey, 1, 3)->pseudo_log_likelihood(rows_for(grey, 2, 3)));
}

// ---------------------------------------------------------------- conditionals

TEST(ConvRbm, BlocksAreChoicesAndPoolingUnitsTheirSums) {
  for (const ConvSmall& small : kinds_of_machines()) {
    const auto machine = conv_rbm(small, 1, 15);
    const PlainConvRbm plain(*machine);
    const Tensor x = rows_for(small, 3, 17), mean = machine->mean_h_given_v(x), code = machine->encode(x);
    for (std::int64_t r = 0; r < x.size(0); ++r) {
      const Doubles p = probabilities(plain.log_joints(doubles(x[r])));
      Doubles units(size(machine->blocks().units()));
      for (std::size_t s = 0; s < p.size(); ++s)
        for (const std::int64_t u : plain.hidden_states[s]) units[size(u)] += p[s];
      expect_near(doubles(mean[r].flatten()), units, 2e-6, "units");
      Doubles pooled(plain.block_units.size());  // blocks come filter after filter within a place
      const std::int64_t places = static_cast<std::int64_t>(pooled.size()) / plain.K;
      for (std::size_t g = 0; g < pooled.size(); ++g) {
        const std::int64_t k = static_cast<std::int64_t>(g) % plain.K,
                           place = static_cast<std::int64_t>(g) / plain.K;
        for (const std::int64_t u : plain.block_units[g]) pooled[size(k * places + place)] += units[size(u)];
      }
      expect_near(doubles(code[r]), pooled, 4e-6, "pooling units");
    }
  }
}

TEST(ConvRbm, HiddenSamplesFollowTheBlocks) {
  const auto machine = conv_rbm({.filters = 1}, 1, 19);
  const PlainConvRbm plain(*machine);
  Rng rng(21);
  const Tensor x = rows_for({}, 1, 23), h = machine->sample_h_given_v(x.repeat({20000, 1}), rng).flatten(1);
  EXPECT_LE(h.sum(1).max().item<float>(), 1) << "one block of four units";
  const Doubles p = probabilities(plain.log_joints(doubles(x[0])));
  Doubles by_number(16);
  for (std::size_t s = 0; s < p.size(); ++s) {
    std::size_t number = 0;
    for (const std::int64_t u : plain.hidden_states[s]) number |= std::size_t{1} << u;
    by_number[number] = p[s];
  }
  expect_drawn_from(h, by_number, "blocks");
}

TEST(ConvRbm, PixelsGivenHiddenUnitsHaveTheirMeansAndDensities) {
  for (const ConvSmall& small : {ConvSmall{}, two_channels, ConvSmall{.values = ValueKind::real}}) {
    const auto machine = conv_rbm(small, 1, 25);
    const PlainConvRbm plain(*machine);
    Rng rng(27);
    const Tensor x = rows_for(small, 4, 29), h = machine->sample_h_given_v(x, rng);
    const Tensor mean = machine->mean_v_given_h(h), density = machine->log_prob_v_given_h(x, h);
    for (std::int64_t r = 0; r < 4; ++r) {
      std::vector<std::int64_t> on;
      const Doubles units = doubles(h[r].flatten()), v = doubles(x[r]);
      for (std::size_t u = 0; u < units.size(); ++u)
        if (units[u] > 0) on.push_back(static_cast<std::int64_t>(u));
      Doubles wanted = plain.input_from(on);
      double log_prob = 0;
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        const double a = plain.b[i] + plain.sigma[i] * wanted[i], s = plain.sigma[i];
        wanted[i] = plain.gaussian ? a : 1 / (1 + std::exp(-a));
        log_prob += plain.gaussian
                        ? -(v[i] - a) * (v[i] - a) / (2 * s * s) - std::log(2 * std::numbers::pi * s * s) / 2
                        : v[i] * a - std::log1p(std::exp(a));
      }
      expect_near(doubles(mean[r]), wanted, 1e-5, "means");
      EXPECT_NEAR(density[r].item<double>(), log_prob, 1e-4);
    }
  }
}

// ---------------------------------------------------------------- chains

TEST(ConvRbm, AChainStartedAtTheModelStaysThere) {
  for (const ConvSmall& small : {few_pixels, ConvSmall{.picture = {1, 3, 3}, .filter = 2, .pooling = 1}}) {
    const auto machine = conv_rbm(small, 0.8, 31);
    const Doubles p = probabilities(PlainConvRbm(*machine).log_unnormalised());
    Rng rng(33);
    const Tensor start = exact_samples(p, 9, 30000, rng);
    for (const std::int64_t steps : {1, 4})
      expect_drawn_from(machine->chain_steps(start, steps, rng), p, std::to_string(steps) + " steps");
    const auto annealed = machine->anneal_from(start);
    Tensor none = at::zeros({30000}, at::kDouble);
    annealed->step(1, 1, none, rng);
    expect_drawn_from(annealed->states(rng), p, "a step of annealing");
  }
}

TEST(ConvRbm, AnnealingIsUnbiasedForThePartition) {
  for (const ConvSmall& small : {few_pixels, ConvSmall{.values = ValueKind::real}}) {
    const auto machine = conv_rbm(small, 0.3, 35);
    const double log_ratio = *machine->exact_log_partition() - machine->log_base_partition();
    Rng rng(37);
    const std::int64_t count = 20000;
    const auto chains = machine->anneal_from_base(count, rng);
    Tensor weights = at::zeros({count}, at::kDouble);
    const Doubles betas = {0, 0.1, 0.3, 0.5, 0.7, 0.85, 1};
    for (std::size_t k = 1; k < betas.size(); ++k) chains->step(betas[k - 1], betas[k], weights, rng);
    Moments moments;
    for (const double value : doubles(weights)) moments.add({std::exp(value - log_ratio)});
    EXPECT_LT(moments.largest_z({1}, 1e-6), 5.5);  // skewed: normal quantiles would be too narrow
  }
}

TEST(ConvRbm, AnnealingGivenKnownPixelsBeginsAtTheStatedBase) {
  const auto machine = conv_rbm(few_pixels, 1, 39);
  const Doubles logs = PlainConvRbm(*machine).log_unnormalised();
  // All states that agree with what is known, each as a start: log p*_0 = log p* - weight(0 to 1).
  Tensor x = at::full({1, 9}, std::nanf(""));
  x[0][0] = 1, x[0][5] = 1, x[0][7] = 0;
  const Tensor known = x.isnan().logical_not(), states = all_states(9);
  const Tensor agree = at::logical_or(states == x, known.logical_not()).all(1).nonzero().squeeze(1);
  const Tensor starts = states.index_select(0, agree);
  Rng rng(41);
  Tensor weights = at::zeros({starts.size(0)}, at::kDouble);
  machine->anneal_from(starts)->step(0, 1, weights, rng);
  Doubles base = doubles(weights);
  for (std::size_t s = 0; s < base.size(); ++s)
    base[s] = logs[size(agree[static_cast<std::int64_t>(s)].item<std::int64_t>())] - base[s];
  EXPECT_NEAR(machine->log_base_partition_given(x).item<double>(), log_sum_exp(base), 1e-5);
  const auto chains = machine->anneal_given(x.repeat({50, 1}), rng);
  Tensor ignored = at::zeros({50}, at::kDouble);
  chains->step(0, 1, ignored, rng);
  const Tensor ends = chains->states(rng);
  EXPECT_TRUE((ends.masked_select(known.expand_as(ends)).view({50, 3}) == at::tensor({1.0F, 1.0F, 0.0F}))
                  .all()
                  .item<bool>());
}

// ---------------------------------------------------------------- what it refuses

TEST(ConvRbm, RefusesSizesThatDoNotFit) {
  const auto usage = [](const ConvSmall& small) {
    return error_of(ErrorKind::usage, [&] { new_conv_rbm(small); });
  };
  expect_says(usage({.picture = {1, 28, 28}, .filter = 12}),
              {"model.pooling", "17 x 17", "2 x 2", "28 x 28"});
  expect_says(usage({.picture = {1, 4, 6}, .filter = 5}), {"model.filter", "4 x 6", "5 x 5"});
  expect_says(usage({.picture = {7}, .filter = 3}), {"model.pooling", "1 x 5", "1 x 2"});
  new_conv_rbm({.picture = {6}, .filter = 3});
}

TEST(ConvRbm, RefusesValuesThatItsPixelsCannotTake) {
  const auto refused = [](const std::function<void()>& act) { return error_of(ErrorKind::data, act); };
  const auto bits = conv_rbm({}, 0.1, 3),
             means = conv_rbm({.values = ValueKind::grey, .units = "expected_bits"}, 0.1, 3);
  Tensor x = at::zeros({4, 16});
  x[2][5] = 0.5;
  expect_says(refused([&] { bits->check_data(x, "rows", 10); }), {"0 or 1", "row 12", "column 5"});
  means->check_data(x, "rows");
  x[1][3] = 1.5;
  expect_says(refused([&] { means->check_data(x, "rows"); }), {"row 1", "column 3"});
  expect_says(refused([] { new_conv_rbm({.values = ValueKind::real, .units = "expected_bits"}); }),
              {"model.visible_units=auto"});
  DataShape mixed = ConvSmall{.picture = {6}, .filter = 3}.shape();
  mixed.values = ValueKind::mixed;
  mixed.groups = {{ColumnKind::binary, 0, 4}, {ColumnKind::gaussian, 4, 2}};
  expect_says(refused([&] {
                ConvRbmOptions options;
                options.filter = 3;
                ConvRbm(options, {}, mixed);
              }),
              {"one kind", "column 4"});
}

}  // namespace
}  // namespace deepgen::conv_rbm_test
