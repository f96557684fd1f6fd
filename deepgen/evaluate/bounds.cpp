#include "deepgen/evaluate/bounds.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <numeric>

#include "deepgen/core/error.h"
#include "deepgen/models/own_scores.h"
#include "deepgen/parts/check_cells.h"

namespace deepgen {
namespace {

constexpr std::int64_t train_rows = 1000;
constexpr std::int64_t chunk_draws = 100000;  // of latent variables between two looks at Ctrl-C

std::vector<std::int64_t> all_rows(const Split& split) {
  std::vector<std::int64_t> index(static_cast<std::size_t>(split.rows()));
  std::iota(index.begin(), index.end(), std::int64_t{0});
  return index;
}

// A function of some rows (their numbers, how many draws each costs) in chunks that progress shows.
template <class F>
Tensor over_rows(const std::vector<std::int64_t>& index, std::int64_t cost, const char* what,
                 Observer& observer, F function) {
  const auto start = std::chrono::steady_clock::now();
  const auto rows = static_cast<std::int64_t>(index.size());
  const std::int64_t chunk = std::clamp<std::int64_t>(chunk_draws / cost, 1, 1000);
  Tensor all;
  for (std::int64_t first = 0; first < rows; first += chunk) {
    const std::int64_t count = std::min(chunk, rows - first);
    const std::vector<std::int64_t> some(index.begin() + first, index.begin() + first + count);
    const Tensor part = function(some, first);
    if (!all.defined()) {  // in place, where joining the parts would hold everything twice
      std::vector<std::int64_t> sizes = part.sizes().vec();
      sizes[0] = rows;
      all = at::empty(sizes, at::kDouble);
    }
    all.narrow(0, first, count).copy_(part);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const auto done = static_cast<double>(first + count);
    observer.progress(
        {what, first + count, rows, seconds, seconds / done * (static_cast<double>(rows) - done)}, {});
    if (observer.stop_requested())
      throw Error(ErrorKind::interrupted, what, "stopped by request; nothing was written");
  }
  if (!all.isfinite().all().item<bool>())
    fail_numerical(what,
                   "log-probabilities are not finite: the weights of the model are too large or broken");
  return all;
}

void need_labels(Model& model, const Split& split) {
  auto* conditional = as<IsConditional>(model);
  if (conditional && conditional->condition_classes() > 0)
    check_labels(split.y, split.rows(), conditional->condition_classes(), split.name);
}

// log_jacobian of the cells whose density the model tells: all, or those outside its condition.
Tensor log_jacobian_of(Model& model, const Dataset& data, const Tensor& x) {
  auto* conditional = as<IsConditional>(model);
  const Tensor given = conditional ? conditional->condition_mask() : Tensor();
  return data.log_jacobian(given.defined() ? x.masked_fill(given.unsqueeze(0), std::nanf("")) : x);
}

Tensor bound_rows_of(Model& model, const Dataset& data, const Split& split,
                     const std::vector<std::int64_t>& index, std::int64_t samples, const Rng& rng,
                     Observer& observer) {
  auto* given = as<HasConditionalBound>(model);
  auto* bound = as<HasBound>(model);
  if (given) need_labels(model, split);
  return over_rows(
      index, samples, "bound", observer, [&](const std::vector<std::int64_t>& some, std::int64_t first) {
        NoGradGuard no_graph;
        const Tensor x = Dataset::rows(split, some, rng.fork({1, static_cast<std::uint64_t>(first)}));
        model.check_data(x, split.name, some.front());
        Rng own = rng.fork({2, static_cast<std::uint64_t>(first)});
        const Tensor rows = bound ? bound->log_prob_bound(x, samples, own)
                                  : given->conditional_bound(x, Dataset::labels(split, some), samples, own);
        return rows + log_jacobian_of(model, data, x);
      });
}

// What the model has beside its bound.
std::vector<Score> own_scores_of(Model& model, const Dataset& data, const Split& split, std::int64_t samples,
                                 const Rng& rng, Observer& observer) {
  auto* own = as<HasOwnScores>(model);
  if (!own) return {};
  std::vector<OwnScore> about;
  const Tensor all = over_rows(
      all_rows(split), samples, "own scores", observer,
      [&](const std::vector<std::int64_t>& some, std::int64_t first) {
        const Tensor x = Dataset::rows(split, some, rng.fork({1, static_cast<std::uint64_t>(first)}));
        Rng draws = rng.fork({2, static_cast<std::uint64_t>(first)});
        about = own->own_scores({x, Dataset::labels(split, some)}, samples, draws);
        std::vector<Tensor> rows;
        const Tensor jacobian = log_jacobian_of(model, data, x);
        for (const OwnScore& each : about) rows.push_back(each.rows + jacobian);
        return at::stack(rows, 1);
      });
  std::vector<Score> scores;
  for (std::size_t i = 0; i < about.size(); ++i)
    scores.push_back(row_score(about[i].metric, split,
                               about[i].exact ? ScoreKind::exact : ScoreKind::lower_bound,
                               all.select(1, static_cast<std::int64_t>(i)).contiguous(), about[i].how));
  return scores;
}

}  // namespace

std::vector<std::int64_t> random_index(const Split& split, std::int64_t count, const Rng& rng) {
  std::vector<std::int64_t> index = Rng(rng).permutation(split.rows());
  index.resize(static_cast<std::size_t>(std::min(count, split.rows())));
  return index;
}

Score row_score(const std::string& metric, const Split& split, ScoreKind kind, const Tensor& values,
                std::string how) {
  const RowMean mean = mean_over_rows(values);
  Score score;
  score.metric = metric, score.split = split.name, score.kind = kind;
  score.value = mean.mean, score.standard_error = mean.standard_error, score.rows = mean.rows;
  score.how = std::move(how);
  return score;
}

bool is_bounded(Model& model) {
  return !as<HasLogProb>(model) && !as<HasFreeEnergy>(model) &&
         (as<HasBound>(model) || as<HasConditionalBound>(model));
}

Tensor bound_rows(Model& model, const Dataset& data, const Split& split, std::int64_t samples, const Rng& rng,
                  Observer& observer) {
  return bound_rows_of(model, data, split, all_rows(split), samples, rng, observer);
}

std::string bound_method(Model& model, std::int64_t samples) {
  std::string how = samples == 1 ? "evidence lower bound, one draw a row"
                                 : fmt::format("importance-weighted bound, {} draws a row", samples);
  if (!as<HasBound>(model)) how += ", given " + as<IsConditional>(model)->condition();
  return how;
}

std::vector<Score> bound_scores(Model& model, const Dataset& data, const Split& split,
                                const EvaluationPlan& plan, const Rng& rng, Observer& observer) {
  const std::string prefix = as<HasBound>(model) ? "" : "conditional_";
  std::vector<Score> scores;
  auto add = [&](const std::string& metric, const Split& part, const std::vector<std::int64_t>& index,
                 std::int64_t samples, std::uint64_t number) {
    const Tensor values = bound_rows_of(model, data, part, index, samples, rng.fork({number}), observer);
    scores.push_back(
        row_score(prefix + metric, part, ScoreKind::lower_bound, values, bound_method(model, samples)));
  };
  add("log_prob", split, all_rows(split), plan.samples, 1);
  add("elbo", split, all_rows(split), 1, 2);
  for (const Score& each : own_scores_of(model, data, split, plan.samples, rng.fork({6}), observer))
    scores.push_back(each);
  if (data.one_matrix || split.name == data.train.name) return scores;
  const std::vector<std::int64_t> index = random_index(data.train, train_rows, rng.fork({3}));
  add("log_prob", data.train, index, plan.samples, 4);
  add("elbo", data.train, index, 1, 5);
  return scores;
}

std::vector<Score> ensemble_scores(Model& model, const Dataset& data, const Split& split,
                                   const EvaluationPlan& plan, const Rng& rng, Observer& observer) {
  auto* ordered = as<HasOrders>(model);
  if (!ordered || plan.orders < 2) return {};
  if (ordered->orders() > 0 && plan.orders > ordered->orders())
    fail_usage("--orders", fmt::format("expected at most {}, the orders this model has, got {}",
                                       ordered->orders(), plan.orders));
  const Tensor rows = over_rows(
      all_rows(split), plan.orders, "ensemble", observer,
      [&](const std::vector<std::int64_t>& some, std::int64_t first) {
        NoGradGuard no_graph;
        const Tensor x = Dataset::rows(split, some, rng.fork({1, static_cast<std::uint64_t>(first)}));
        std::vector<Tensor> members;
        for (std::int64_t order = 0; order < plan.orders; ++order) {
          if (observer.stop_requested())
            throw Error(ErrorKind::interrupted, "ensemble", "stopped by request; nothing was written");
          members.push_back(ordered->log_prob_under(x, order));
        }
        return at::logsumexp(at::stack(members), 0) - std::log(static_cast<double>(plan.orders)) +
               data.log_jacobian(x);
      });
  return {row_score("log_prob_ensemble", split, ScoreKind::exact, rows,
                    fmt::format("mean of the probabilities under {} orders", plan.orders))};
}

}  // namespace deepgen
