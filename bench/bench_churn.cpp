// Page faults a step of every model's training, of chains and of annealing. Memory that goes back to the system
// is taken again page by page: a step that works in memory it has takes none.
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>

#include "bench/harness.h"
#include "deepgen/evaluate/annealing.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/unit_layers.h"
#include "deepgen/train/trainer.h"

namespace deepgen::bench {
namespace {

constexpr double most_faults = 50;  // a step
constexpr std::int64_t rows = 600, chains = 20, temperatures = 200;
constexpr int steps = 6;

double page_faults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_minflt);
}

Split part_of(const std::string& name, bool bits, std::int64_t count, std::uint64_t seed) {
  Rng rng(seed);
  Split part;
  part.name = name;
  part.x = bits ? (uniform(count, 784, rng.next()) < 0.13).to(at::kByte) : normal(count, 64, rng.next());
  part.y = at::arange(count, at::kLong).remainder(10);
  return part;
}

// Pictures of bits with labels; of a model that takes none rows of numbers.
Dataset set_for(const ModelCard& card) {
  const bool bits = std::find(card.takes.begin(), card.takes.end(), ColumnKind::binary) != card.takes.end();
  Dataset data;
  data.spec = data.name = "random rows";
  data.shape = bits ? std::vector<std::int64_t>{1, 28, 28} : std::vector<std::int64_t>{64};
  data.values = bits ? ValueKind::binary : ValueKind::real;
  data.binarize = "none";
  data.classes = 10;
  data.train = part_of("train", bits, rows, 3);
  data.valid = part_of("valid", bits, rows / 6, 4);
  return data;
}

// Prints what was counted, and keeps the names of what was too much.
class Report {
 public:
  // Faults a step of `count` steps, after as many that make what lives as long as the loop.
  template <class Work>
  void add(const std::string& name, int count, const Work& work) {
    work();
    const double before = page_faults();
    work();
    const double faults = (page_faults() - before) / count;
    fmt::print("  {:<36} {:8.1f}", name, faults);
    end_line(faults, most_faults);
    if (faults > most_faults) too_many_ += fmt::format(" {} ({:.0f})", name, faults);
  }
  void check() const {
    require(too_many_.empty(), fmt::format("more than {} page faults a step:{}", most_faults, too_many_));
  }

 private:
  std::string too_many_;
};

void count_chain(Report& report, const std::string& name, const Model& model) {
  const auto* chain = as<HasChain>(model);
  if (!chain) return;
  Rng rng(5);
  Tensor x = chain->chain_start(chains, rng);
  report.add(name + ", chain", steps, [&] {
    for (int i = 0; i < steps; ++i) x = chain->chain_steps(x, 1, rng);
  });
}

void count_annealing(Report& report, const std::string& name, const Model& model) {
  const auto* annealed = as<CanAnneal>(model);
  if (!annealed) return;
  const std::vector<double> schedule = annealing_schedule(fmt::format("linear-{}", temperatures));
  Rng rng(7);
  Observer silent;
  report.add(name + ", annealing", temperatures, [&] {
    const LogPartition log_z = anneal_forward(*annealed, schedule, chains, rng, silent);
    require(std::isfinite(log_z.value), "log Z is not finite");
  });
}

void count_model(Report& report, const ModelCard& card) {
  const Dataset data = set_for(card);
  Settings settings(card.name);
  const auto model = make_model(settings, data);
  Trainer trainer(model, data, std::move(settings), 1);
  report.add(card.name + ", training", steps, [&] {
    for (int i = 0; i < steps; ++i) trainer.step();
  });
  for (const auto& item : model->named_parameters())
    require(item.value().isfinite().all().item<bool>(), card.name + ": a parameter is not finite");
  NoGradGuard no_graph;
  count_chain(report, card.name, *model);
  count_annealing(report, card.name, *model);
}

void bench_churn() {
  fmt::print("page faults a step\n");
  Report report;
  for (const ModelCard& card : model_catalogue()) count_model(report, card);
  report.check();
}

const Registration churn("churn", bench_churn);

}  // namespace
}  // namespace deepgen::bench
