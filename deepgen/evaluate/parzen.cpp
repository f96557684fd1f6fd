#include "deepgen/evaluate/parzen.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>

#include "deepgen/core/error.h"
#include "deepgen/core/work.h"
#include "deepgen/evaluate/bounds.h"
#include "deepgen/kernels/kernels.h"
#include "deepgen/ops/products.h"

namespace deepgen {
namespace {

constexpr std::int64_t distances_at_once = 4 << 20;  // distances held at a time: 16 MiB
constexpr std::int64_t sample_groups = 10;           // left out one by one: the samples' own randomness
constexpr std::int64_t group_rows = 2000;            // rows that tell it

std::int64_t block_rows(std::int64_t centres) {
  return std::max<std::int64_t>(1, distances_at_once / centres);
}

Tensor squares_of(const Tensor& rows) { return row_dots(rows, rows); }

// |centre|^2 - 2 x centre for all pairs: squared distances without |x|^2.
Tensor partial_distances(const Tensor& x, const Tensor& centres, const Tensor& squares) {
  Tensor distances = squares.unsqueeze(0).expand({x.size(0), centres.size(0)}).contiguous();
  multiply(distances, x, centres.t(), -2, 1);
  return distances;
}

// log of the sum over n of exp(-scale * distances[n]); what is e^-30 of the largest term adds nothing.
double log_sum_exp(const float* distances, std::int64_t n, double nearest, double scale) {
  constexpr double negligible = 30;
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const double exponent = scale * (static_cast<double>(distances[i]) - nearest);
    if (exponent < negligible) sum += std::exp(-exponent);
  }
  return std::log(sum) - scale * nearest;
}

// The nearest centre of each row, block after block.
template <class F>
void nearest_centres(const Tensor& rows, const Tensor& centres, std::vector<std::int64_t>& nearest,
                     F after_block) {
  const std::int64_t k = centres.size(0), count = rows.size(0), block = block_rows(k);
  const Tensor squares = squares_of(centres);
  for (std::int64_t first = 0; first < count; first += block) {
    const std::int64_t some = std::min(block, count - first);
    const Tensor distances = partial_distances(rows.narrow(0, first, some), centres, squares);
    const float* d = distances.data_ptr<float>();
    nearest.resize(static_cast<std::size_t>(first + some));
    parallel_ranges(some, static_cast<double>(k), 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        nearest[static_cast<std::size_t>(first + i)] =
            std::min_element(d + i * k, d + (i + 1) * k) - (d + i * k);
    });
    after_block(some);
  }
}

// The mean of the rows of each centre, added row after row in float64: the order is fixed.
Tensor means_of_members(const Tensor& rows, const Tensor& centres, const std::vector<std::int64_t>& nearest) {
  const std::int64_t k = centres.size(0), columns = centres.size(1);
  Tensor sums = at::zeros({k, columns}, at::kDouble), members = at::zeros({k, 1}, at::kDouble);
  const float* x = rows.data_ptr<float>();
  for (const std::int64_t centre : nearest) {
    double* sum = sums.data_ptr<double>() + centre * columns;
    members.data_ptr<double>()[centre] += 1;
    for (std::int64_t j = 0; j < columns; ++j) sum[j] += static_cast<double>(x[j]);
    x += columns;
  }
  return at::where(members > 0, sums / members.clamp_min(1), centres.to(at::kDouble))
      .to(at::kFloat)
      .contiguous();
}

std::vector<double> sigma_grid(const ParzenPlan& plan, double unit) {
  std::vector<double> all;
  for (std::int64_t i = 0; i < plan.sigmas; ++i) {
    const double t = static_cast<double>(i) / static_cast<double>(std::max<std::int64_t>(1, plan.sigmas - 1));
    all.push_back(unit * plan.smallest * std::pow(plan.largest / plan.smallest, t));
  }
  return all;
}

// Rows of a part in one tensor, with what turns densities into those of the file's units.
struct Cases {
  Tensor x, jacobian;
};
Cases cases_of(const Dataset& data, const Split& split, const std::vector<std::int64_t>& index,
               const Rng& rng) {
  const Rows rows = Dataset::rows(split, index, rng);
  if (!rows.x.isfinite().all().item<bool>())
    fail_data(data.spec, "a Parzen window needs complete rows, got missing cells");
  return {rows.x, data.log_jacobian(rows)};
}

// What every window of one evaluation shares.
struct Windows {
  Cases choice, asked;
  std::vector<double> sigmas;
  std::string split, chosen_on, range;
  Observer& observer;
};

// Centres and what is said of them.
struct Centres {
  Tensor x;
  std::string words;   // "900 of 1000 samples"
  bool drawn = false;  // independent draws, whose randomness is part of the score's
};

// log sum_i exp of all rows of x [G, B] but row g.
Tensor log_sum_without(const Tensor& x, std::int64_t g) {
  return at::logsumexp(at::cat({x.narrow(0, 0, g), x.narrow(0, g + 1, x.size(0) - g - 1)}), 0);
}

// The variance of the mean log-density that comes from the draw of the centres: the jackknife that leaves a
// group of them out at a time. With S_g the mean without group g, of G groups,
//
//   (G - 1) / G sum_g (S_g - mean of S)^2
//
// Nothing where there are fewer than two centres a group.
std::optional<double> variance_of_draws(const Tensor& centres, const Tensor& x, double sigma, Work& work) {
  const std::int64_t groups = sample_groups, n = centres.size(0);
  if (n < 2 * groups) return std::nullopt;
  const Tensor rows = x.narrow(0, 0, std::min(group_rows, x.size(0)));
  std::vector<Tensor> sums;  // log of the sum of the group's Gaussians at each row
  std::vector<std::int64_t> sizes;
  for (std::int64_t g = 0; g < groups; ++g) {  // every tenth: draws of one chain stay in one group
    ParzenWindow window(centres.slice(0, g, n, groups));
    window.after_block = [&](std::int64_t) { work.listen(); };
    sizes.push_back(window.size());
    sums.push_back(window.log_density(rows, {sigma})[0] + std::log(static_cast<double>(sizes.back())));
  }
  const Tensor all = at::stack(sums);
  std::vector<double> without;
  for (std::int64_t g = 0; g < groups; ++g)
    without.push_back(log_sum_without(all, g).mean().item<double>() -
                      std::log(static_cast<double>(n - sizes[static_cast<std::size_t>(g)])));
  const double factor = static_cast<double>(groups - 1);  // times the variance whose divisor is G
  return factor * at::tensor(without, at::kDouble).var(false).item<double>();
}

Score window_score(const std::string& metric, const Centres& centres, const Windows& exam) {
  Work work(exam.observer, "Parzen window of " + centres.words, exam.choice.x.size(0) + exam.asked.x.size(0));
  ParzenWindow window(centres.x);
  window.after_block = [&](std::int64_t rows) { work.advance(rows); };
  const Tensor trials = (window.log_density(exam.choice.x, exam.sigmas) + exam.choice.jacobian).mean(1);
  const auto best = static_cast<std::size_t>(trials.argmax().item<std::int64_t>());
  const double sigma = exam.sigmas[best];
  const RowMean mean = mean_over_rows(window.log_density(exam.asked.x, {sigma})[0] + exam.asked.jacobian);
  const auto of_draws =
      centres.drawn ? variance_of_draws(centres.x, exam.asked.x, sigma, work) : std::nullopt;
  Score score;
  score.metric = metric, score.split = exam.split, score.kind = ScoreKind::proxy;
  score.value = mean.mean, score.rows = mean.rows;
  score.standard_error = std::hypot(mean.standard_error, std::sqrt(of_draws.value_or(0)));
  score.how = fmt::format(
      "Gaussians of deviation {:.3g} on {}, deviation of {} from {:.3g} to {:.3g} {}; {}; standard error {}",
      sigma, centres.words, exam.sigmas.size(), exam.sigmas.front(), exam.sigmas.back(), exam.chosen_on,
      exam.range,
      of_draws ? fmt::format("over rows and over draws of the centres (jackknife, {} groups)", sample_groups)
               : "over rows alone");
  if (exam.sigmas.size() > 1 && (best == 0 || best + 1 == exam.sigmas.size()))
    score.warning = "the deviation is at the end of those tried";
  return score;
}

// Training rows: those on which sigma is chosen where there are no validation rows to choose it on, and all
// others.
struct Parts {
  std::vector<std::int64_t> choice, others;
  bool own = false;  // `choice` counts validation rows
};
Parts arrange(const Dataset& data, const std::string& split, const ParzenPlan& plan, const Rng& rng) {
  Parts parts;
  parts.others = Rng(rng).permutation(data.train.rows());
  parts.own = split != "valid" && !data.one_matrix && data.valid.rows() > 0;
  if (parts.own) {
    parts.choice = random_index(data.valid, plan.validation_rows, rng.fork({1}));
    return parts;
  }
  const std::int64_t held = std::min(plan.validation_rows, data.train.rows() / 2);
  parts.choice.assign(parts.others.end() - held, parts.others.end());
  parts.others.resize(parts.others.size() - static_cast<std::size_t>(held));
  return parts;
}

double mean_deviation(const Tensor& rows) {
  return std::sqrt(rows.to(at::kDouble).var(0, false).mean().item<double>());
}

}  // namespace

ParzenWindow::ParzenWindow(const Tensor& centres)
    : centres_((centres - centres.to(at::kDouble).mean(0).to(at::kFloat)).contiguous()),
      squares_(squares_of(centres_)),
      shift_(centres.to(at::kDouble).mean(0).to(at::kFloat)) {}

Tensor ParzenWindow::log_density(const Tensor& x, const std::vector<double>& sigmas) const {
  const std::int64_t n = size(), rows = x.size(0), columns = x.size(1), block = block_rows(n);
  const auto count = static_cast<std::int64_t>(sigmas.size());
  Tensor all = at::empty({count, rows}, at::kDouble);
  for (std::int64_t first = 0; first < rows; first += block) {
    const std::int64_t some = std::min(block, rows - first);
    const Tensor moved = (x.narrow(0, first, some) - shift_).contiguous();
    const Tensor squares = squares_of(moved), distances = partial_distances(moved, centres_, squares_);
    const float* d = distances.data_ptr<float>();
    double* out = all.data_ptr<double>();
    parallel_ranges(some, 3.0 * static_cast<double>(n * count), 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const double own = static_cast<double>(squares.data_ptr<float>()[i]);
        // Rounding may leave a distance just below zero; a row on a centre has distance zero.
        const double nearest =
            std::max(static_cast<double>(*std::min_element(d + i * n, d + (i + 1) * n)), -own);
        for (std::int64_t k = 0; k < count; ++k) {
          const double variance = sigmas[static_cast<std::size_t>(k)] * sigmas[static_cast<std::size_t>(k)];
          out[k * rows + first + i] =
              log_sum_exp(d + i * n, n, nearest, 0.5 / variance) - 0.5 * own / variance -
              std::log(static_cast<double>(n)) -
              0.5 * static_cast<double>(columns) * std::log(2 * std::numbers::pi * variance);
        }
      }
    });
    if (after_block) after_block(some);
  }
  return all;
}

Tensor kmeans_centres(const Tensor& rows, std::int64_t k, std::int64_t steps, Rng& rng, Observer& observer) {
  std::vector<std::int64_t> index = rng.permutation(rows.size(0));
  index.resize(static_cast<std::size_t>(std::min(k, rows.size(0))));
  Tensor centres = rows.index_select(0, at::tensor(index, at::kLong)).contiguous();
  Work work(observer, "k-means", steps * rows.size(0));
  for (std::int64_t step = 0; step < steps; ++step) {
    std::vector<std::int64_t> nearest;
    nearest_centres(rows, centres, nearest, [&](std::int64_t some) { work.advance(some); });
    centres = means_of_members(rows, centres, nearest);
  }
  return centres;
}

bool has_scales(const Dataset& data) {
  return data.values == ValueKind::real || data.values == ValueKind::count || data.values == ValueKind::mixed;
}

namespace {

// Training rows that are not held out for the choice of windows, as many as the controls need.
Tensor control_rows(const Dataset& data, Parts& parts, std::int64_t samples, const ParzenPlan& plan,
                    const Rng& rng) {
  const auto most = static_cast<std::size_t>(std::max(plan.kmeans_rows, samples));
  parts.others.resize(std::min(parts.others.size(), most));
  const Tensor training = cases_of(data, data.train, parts.others, rng).x;
  if (parts.choice.empty())
    fail_data(data.spec, "expected two training rows or more, or validation rows, to choose the windows by");
  if (has_scales(data) && mean_deviation(training) == 0)
    fail_data(data.spec, "expected columns that differ between the training rows, got constant ones alone");
  return training;
}

}  // namespace

std::vector<Score> parzen_scores(const Tensor& samples, const Dataset& data, const std::string& split_name,
                                 const ParzenPlan& plan, const Rng& rng, Observer& observer) {
  const Split& split = data.split(split_name);
  Parts parts = arrange(data, split_name, plan, rng.fork({0}));
  const Tensor training = control_rows(data, parts, samples.size(0), plan, rng.fork({2}));
  const bool wide = has_scales(data);
  const Windows exam{
      cases_of(data, parts.own ? data.valid : data.train, parts.choice, rng.fork({3})),
      cases_of(data, split, random_index(split, split.rows(), rng.fork({4})), rng.fork({5})),
      sigma_grid(plan, wide ? mean_deviation(training) : 1),
      split.name,
      fmt::format("chosen on {} {} rows", parts.choice.size(), parts.own ? "validation" : "other training"),
      wide ? "in the units of the file" : "values from 0 to 1",
      observer};
  // More centres score higher, whatever they are: all windows have the same number where rows allow it.
  const std::int64_t count = std::min(samples.size(0), training.size(0));
  // No more centres than rows that could have two.
  const std::int64_t k = count < training.size(0) ? count : (count + 1) / 2;
  Rng own = rng.fork({6});
  const Tensor centres = kmeans_centres(training, k, plan.kmeans_steps, own, observer);
  const std::string of = samples.size(0) > count ? fmt::format(" of {}", samples.size(0)) : "";
  const std::string about_centres =
      fmt::format("{} centres of {} steps of k-means on {} training rows{}", k, plan.kmeans_steps,
                  training.size(0), k < count ? ", half as many centres as rows" : "");
  return {window_score("parzen_log_density",
                       {samples.narrow(0, 0, count), fmt::format("{}{} samples", count, of), true}, exam),
          window_score("parzen_log_density_training_rows",
                       {training.narrow(0, 0, count), fmt::format("{} training rows", count), true}, exam),
          window_score("parzen_log_density_kmeans", {centres, about_centres}, exam)};
}

}  // namespace deepgen
