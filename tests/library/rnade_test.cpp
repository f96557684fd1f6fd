// The real-valued NADE: its density integrates to one, its samples follow it, its gradients are those of its
// log-density.
#include "deepgen/models/autoregressive/rnade.h"

#include "tests/library/machines.h"

namespace deepgen::rnade_test {
namespace {

using namespace machines;

DataShape reals(std::int64_t columns) { return {columns, {columns}, 0, ValueKind::real, {}}; }

std::shared_ptr<Rnade> make_rnade(std::int64_t columns, double scale, std::uint64_t seed) {
  RnadeOptions options;
  options.hidden = 6, options.components = 3;
  auto model = std::make_shared<Rnade>(options, NoOptions{}, reals(columns));
  Rng rng(seed);
  // Columns of other scales than one, so that a forgotten Jacobian shows.
  const Tensor x = normal_tensor({200, columns}, 1, rng) * 3 + 5;
  model->initialise({x, {}}, rng);
  NoGradGuard no_graph;
  for (auto& item : model->named_parameters())
    item.value().add_(normal_tensor(item.value().sizes(), scale, rng));
  return model;
}

constexpr double from = -75, to = 85;

// Points in the middle of equal cells of [from, to].
Tensor midpoints(std::int64_t count) {
  return (at::arange(count, at::kDouble) + 0.5) * ((to - from) / real(count)) + from;
}

TEST(Rnade, DensitiesIntegrateToOne) {
  const std::int64_t fine = 40000;
  const auto one = make_rnade(1, 0.3, 3);
  const Tensor line = midpoints(fine).to(at::kFloat).unsqueeze(1);
  EXPECT_NEAR(one->log_prob(line).exp().sum().item<double>() * (to - from) / real(fine), 1, 2e-4);

  const std::int64_t count = 1600;  // cells of 0.1; no deviation falls below 0.15
  const auto two = make_rnade(2, 0.2, 5);
  const Tensor points = midpoints(count).to(at::kFloat);
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i)
    sum += two->log_prob(at::stack({points[i].expand({count}), points}, 1).contiguous())
               .exp()
               .sum()
               .item<double>();
  EXPECT_NEAR(sum * std::pow((to - from) / real(count), 2), 1, 2e-3);
}

// The share of samples in each of some boxes is the integral of the density there.
TEST(Rnade, SamplesFollowTheDensity) {
  const auto model = make_rnade(2, 0.2, 7);
  Rng a(4), b(4);
  const std::int64_t count = 40000, grid = 800;
  const Tensor x = model->sample(count, a);
  expect_bit_equal(x, model->sample(count, b), "equal seed");
  const double side = 2.0;
  std::vector<std::int64_t> draws;
  for (std::int64_t r = 0; r < count; ++r) {
    std::int64_t box[2];
    for (int d = 0; d < 2; ++d)
      box[d] = std::clamp<std::int64_t>(
          static_cast<std::int64_t>(std::floor((x[r][d].item<double>() - from) / side)), 0, 79);
    draws.push_back(box[0] * 80 + box[1]);
  }
  Doubles wanted(6400);
  const Tensor points = midpoints(grid).to(at::kFloat);
  for (std::int64_t i = 0; i < grid; ++i) {
    const Doubles p =
        doubles(model->log_prob(at::stack({points[i].expand({grid}), points}, 1).contiguous()).exp());
    for (std::int64_t j = 0; j < grid; ++j)
      wanted[size(i / 10 * 80 + j / 10)] += p[size(j)] * std::pow((to - from) / real(grid), 2);
  }
  EXPECT_LT(chi_square_z(draws, wanted), one_in_a_million);
}

// A row whose rectifiers bend within the step has no slope there: both sides must agree where it is compared.
TEST(Rnade, GradientsAreThoseOfTheLogProbByFiniteDifferences) {
  const auto model = make_rnade(3, 0.2, 9);
  Rng rng(8), unused(0);
  const Tensor x = normal_tensor({30, 3}, 3, rng) + 5;
  model->gradients({x, {}}, Turn{}, unused);
  NoGradGuard no_graph;
  double compared = 0, all = 0;
  const double step = 2e-3;
  for (auto& item : model->named_parameters()) {
    Tensor flat = item.value().view({-1});
    const Tensor gradient = item.value().grad().view({-1});
    for (std::int64_t i = 0; i < flat.size(0); ++i) {
      const float kept = flat[i].item<float>();
      auto loss_at = [&](double move) {
        flat[i] = kept + move;
        return -model->log_prob(x).mean().item<double>();
      };
      const double above = (loss_at(step) - loss_at(0)) / step, below = (loss_at(0) - loss_at(-step)) / step;
      flat[i] = kept;
      all += 1;
      if (std::abs(above - below) > 2e-3) continue;
      compared += 1;
      EXPECT_NEAR(gradient[i].item<double>(), (above + below) / 2, 2e-3) << item.key() << " " << i;
    }
  }
  EXPECT_GT(compared, 0.8 * all);
}

// Started at the model, a clamped chain stays there: the density of what it leaves is that of what it got.
TEST(Rnade, AClampedChainKeepsTheDistribution) {
  const auto model = make_rnade(3, 0.3, 11);
  Rng rng(5);
  const Tensor start = model->sample(20000, rng), fresh = model->sample(20000, rng);
  Tensor known = at::zeros({3}, at::kBool);
  known[1] = true;
  const Tensor end = model->clamped_steps(start, 4, known.expand({20000, 3}), rng);
  expect_bit_equal(end.select(1, 1).contiguous(), start.select(1, 1).contiguous(), "known cells");
  EXPECT_FALSE(at::equal(end, start));
  auto moments_of = [&](const Tensor& rows) {
    const Tensor z = (rows - 5).to(at::kDouble) / 3;
    return at::cat({z, z * z, (z.select(1, 0) * z.select(1, 1)).unsqueeze(1),
                    (z.select(1, 1) * z.select(1, 2)).unsqueeze(1), model->log_prob(rows).unsqueeze(1)},
                   1);
  };
  const Tensor a = moments_of(end), b = moments_of(fresh);
  const Tensor z = (a.mean(0) - b.mean(0)) / ((a.var(0) + b.var(0)) / 20000).sqrt();
  EXPECT_LT(z.abs().max().item<double>(), 5.5);  // nine numbers at less than one in a million
}

TEST(Rnade, AChainOfAllCellsKeepsTheDistribution) {
  const auto model = make_rnade(2, 0.3, 13);
  Rng rng(5);
  const Tensor start = model->sample(20000, rng), fresh = model->sample(20000, rng);
  const Tensor end = model->chain_steps(start, 3, rng);
  const Tensor a = model->log_prob(end), b = model->log_prob(fresh);
  const double z = (a.mean() - b.mean()).item<double>() /
                   std::sqrt((a.var().item<double>() + b.var().item<double>()) / 20000);
  EXPECT_LT(std::abs(z), 4.9);  // one in a million
  EXPECT_FALSE(at::equal(end, start));
}

TEST(Rnade, WhatIsNoCompleteRowOfNumbersIsRefused) {
  const auto model = make_rnade(3, 0.2, 9);
  Tensor x = at::zeros({2, 3});
  x[1][2] = std::numeric_limits<float>::infinity();
  expect_says(error_of(ErrorKind::data, [&] { model->check_data(x, "train", 5); }),
              {"row 6", "column 2", "inf"});
  x[1][2] = std::nanf("");
  expect_says(error_of(ErrorKind::data, [&] { model->check_data(x, "train", 5); }),
              {"row 6", "column 2", "missing"});
  expect_says(error_of(ErrorKind::data,
                       [&] {
                         model->check_data(at::zeros({2, 4}), "train");
                       }),
              {"3 columns", "4"});
}

TEST(Rnade, DoesNotDependOnTheNumberOfThreads) {
  Rng rng(8), unused(0);
  RnadeOptions options;
  options.hidden = 200;
  const Tensor x = normal_tensor({300, 9}, 3, rng) + 5;
  std::vector<Tensor> one, four;
  for (const int count : {1, 4}) {
    const Threads threads(count);
    std::vector<Tensor>& all = count == 1 ? one : four;
    Rng own(3);
    Rnade model(options, {}, reals(9));
    model.initialise({x, {}}, own);
    model.gradients({x, {}}, Turn{}, unused);
    for (const Tensor& p : model.parameters()) all.push_back(p.grad().clone());
    all.push_back(model.log_prob(x));
  }
  for (std::size_t k = 0; k < one.size(); ++k) expect_bit_equal(one[k], four[k], "threads");
}

}  // namespace
}  // namespace deepgen::rnade_test
