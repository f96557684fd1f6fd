#include "deepgen/tasks/sampling.h"

#include "deepgen/core/error.h"
#include "deepgen/model/top_machine.h"
#include "deepgen/parts/checks/check_cells.h"

namespace deepgen {
namespace {

// Blocks of chains follow each other, and their later samples come below all the first ones: of several
// blocks these have to wait.
void sample_by_chains(const Model& model, const HasChain& chain, const SamplingPlan& plan, Rng& rng,
                      Observer& observer, const RowSink& sink) {
  const std::int64_t blocks = (plan.count + chain_block - 1) / chain_block;
  Work work(observer, "sampling", blocks * (plan.steps + (plan.rows - 1) * plan.between));
  const auto step = [&](const Tensor& x, std::int64_t steps) { return chain.chain_steps(x, steps, rng); };
  std::vector<std::vector<Tensor>> waiting(static_cast<std::size_t>(plan.rows));
  for (std::int64_t first = 0; first < plan.count; first += chain_block) {
    Tensor x = chain.chain_start(std::min(chain_block, plan.count - first), rng);
    for (std::int64_t r = 0; r < plan.rows; ++r) {
      x = run_chain(work, x, r == 0 ? plan.steps : plan.between, step);
      const Tensor rows = machine_cases(model, x, plan.means, rng);
      if (r == 0 || blocks == 1)
        sink(rows);
      else
        waiting[static_cast<std::size_t>(r)].push_back(rows);
    }
  }
  for (std::vector<Tensor>& band : waiting)
    for (Tensor& rows : band) sink(rows), rows.reset();
}

void sample_given(const Model& model, const Tensor& y, Rng& rng, Observer& observer, const RowSink& sink) {
  const std::int64_t classes = sampled_classes(model);
  if (classes == 0) fail_usage("sample", "this model does not draw given labels");
  check_labels(y, y.size(0), classes, "sample");
  const auto& given = *as<CanSampleGiven>(model);
  Work work(observer, "sampling", y.size(0));
  in_blocks(y.size(0), work, sink, [&](std::int64_t first, std::int64_t count) {
    return given.sample_given(y.narrow(0, first, count), rng);
  });
}

}  // namespace

std::int64_t sampled_classes(const Model& model) {
  const auto* conditional = as<IsConditional>(model);
  return conditional && as<CanSampleGiven>(model) ? conditional->condition_classes() : 0;
}

bool samples_directly(const Model& model) { return as<CanSample>(model) || sampled_classes(model) > 0; }

bool can_sample(const Model& model) { return samples_directly(model) || as<HasChain>(machine_of(model)); }

Tensor sample_given_labels(const Model& model, const Tensor& y, Rng& rng, Observer& observer) {
  GatheredRows all(y.size(0));
  sample_given(model, y, rng, observer, all.sink());
  return all.rows();
}

void sample_model(const Model& model, const SamplingPlan& plan, Rng& rng, Observer& observer,
                  const RowSink& sink) {
  const std::int64_t all = plan.rows * plan.count, classes = sampled_classes(model);
  const auto* direct = as<CanSample>(model);
  if (classes > 0 && (plan.label >= 0 || !direct)) {
    const Tensor y = plan.label >= 0 ? at::full({all}, plan.label, at::kLong)
                                     : at::arange(all, at::kLong).remainder(classes);
    return sample_given(model, y, rng, observer, sink);
  }
  if (direct) {
    Work work(observer, "sampling", all);
    return in_blocks(all, work, sink,
                     [&](std::int64_t, std::int64_t count) { return direct->sample(count, rng); });
  }
  if (const auto* chain = as<HasChain>(machine_of(model)))
    return sample_by_chains(model, *chain, plan, rng, observer, sink);
  const auto* conditional = as<IsConditional>(model);
  fail_usage("sample", conditional ? "this model draws only given " + conditional->condition() +
                                         ": use `deepgen complete`"
                                   : "this model has neither ancestral samples nor a chain");
}

Tensor sample_model(const Model& model, const SamplingPlan& plan, Rng& rng, Observer& observer) {
  GatheredRows all(plan.rows * plan.count);
  sample_model(model, plan, rng, observer, all.sink());
  return all.rows();
}

}  // namespace deepgen
