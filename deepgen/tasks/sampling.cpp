#include "deepgen/tasks/sampling.h"

#include "deepgen/core/error.h"
#include "deepgen/parts/checks/check_cells.h"
#include "deepgen/tasks/blocks.h"

namespace deepgen {
namespace {

constexpr std::int64_t chain_block = 10000;  // chains at a time: working memory stays small

Tensor sample_by_chains(const HasChain& chain, const SamplingPlan& plan, Rng& rng, Observer& observer) {
  const std::int64_t blocks = (plan.count + chain_block - 1) / chain_block;
  Work work(observer, "sampling", blocks * (plan.steps + (plan.rows - 1) * plan.between));
  const auto step = [&](const Tensor& x, std::int64_t steps) { return chain.chain_steps(x, steps, rng); };
  std::vector<std::vector<Tensor>> rows(static_cast<std::size_t>(plan.rows));
  for (std::int64_t first = 0; first < plan.count; first += chain_block) {
    Tensor x = chain.chain_start(std::min(chain_block, plan.count - first), rng);
    for (std::int64_t r = 0; r < plan.rows; ++r) {
      x = run_chain(work, x, r == 0 ? plan.steps : plan.between, step);
      rows[static_cast<std::size_t>(r)].push_back(plan.means ? chain.chain_mean(x, rng) : x);
    }
  }
  std::vector<Tensor> bands;
  for (const std::vector<Tensor>& parts : rows) bands.push_back(at::cat(parts));
  return at::cat(bands);
}

}  // namespace

std::int64_t sampled_classes(const Model& model) {
  const auto* conditional = as<IsConditional>(model);
  return conditional && as<CanSampleGiven>(model) ? conditional->condition_classes() : 0;
}

bool samples_directly(const Model& model) { return as<CanSample>(model) || sampled_classes(model) > 0; }

bool can_sample(const Model& model) { return samples_directly(model) || as<HasChain>(model); }

Tensor sample_given_labels(const Model& model, const Tensor& y, Rng& rng, Observer& observer) {
  const std::int64_t classes = sampled_classes(model);
  if (classes == 0) fail_usage("sample", "this model does not draw given labels");
  check_labels(y, y.size(0), classes, "sample");
  const auto& given = *as<CanSampleGiven>(model);
  return in_blocks(y.size(0), observer, "sampling", [&](std::int64_t first, std::int64_t count) {
    return given.sample_given(y.narrow(0, first, count), rng);
  });
}

Tensor sample_model(const Model& model, const SamplingPlan& plan, Rng& rng, Observer& observer) {
  const std::int64_t all = plan.rows * plan.count, classes = sampled_classes(model);
  const auto* direct = as<CanSample>(model);
  if (classes > 0 && (plan.label >= 0 || !direct)) {
    const Tensor y = plan.label >= 0 ? at::full({all}, plan.label, at::kLong)
                                     : at::arange(all, at::kLong).remainder(classes);
    return sample_given_labels(model, y, rng, observer);
  }
  if (direct)
    return in_blocks(all, observer, "sampling",
                     [&](std::int64_t, std::int64_t count) { return direct->sample(count, rng); });
  if (const auto* chain = as<HasChain>(model)) return sample_by_chains(*chain, plan, rng, observer);
  const auto* conditional = as<IsConditional>(model);
  fail_usage("sample", conditional ? "this model draws only given " + conditional->condition() +
                                         ": use `deepgen complete`"
                                   : "this model has neither ancestral samples nor a chain");
}

}  // namespace deepgen
