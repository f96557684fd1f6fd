// A block Gibbs step of the deep Boltzmann machine, both halves of its layers drawn once, beside its matrix
// products done densely.
#include <algorithm>
#include <memory>

#include "bench/harness.h"
#include "bench/random_bits.h"
#include "deepgen/models/boltzmann/dbm.h"
#include "deepgen/train/trainer.h"

namespace deepgen::bench {
namespace {

constexpr std::int64_t chains = 100, lowest = 500, uppermost = 1000;

// So many updates that hidden units are as rarely on as in a machine that has learnt a little.
std::shared_ptr<Dbm> trained_machine(const Dataset& data) {
  Settings settings("dbm");
  settings.set("model.hidden=500,1000");
  settings.set("model.mean_field_steps=5");
  settings.set("training.chains=100");
  auto model = std::dynamic_pointer_cast<Dbm>(make_model(settings, data));
  Trainer trainer(model, data, std::move(settings), 1);
  for (int i = 0; i < 300; ++i) trainer.step();
  return model;
}

// What each half receives from the other: two products a coupling.
class DenseSteps {
 public:
  explicit DenseSteps(const Dbm& dbm)
      : w_(dbm.weights[0].detach()),
        u_(dbm.weights[1].detach()),
        v_(at::rand({chains, digit_columns})),
        h_(at::rand({chains, lowest})),
        top_(at::rand({chains, uppermost})),
        below_(at::empty_like(v_)),
        middle_(at::empty_like(h_)),
        above_(at::empty_like(top_)) {}
  void step() {
    at::mm_out(below_, h_, w_.t());
    at::mm_out(above_, h_, u_);
    at::mm_out(middle_, v_, w_);
    at::addmm_out(middle_, middle_, top_, u_.t());
  }

 private:
  Tensor w_, u_, v_, h_, top_, below_, middle_, above_;
};

void compare() {
  const Dataset data = digits(5000);
  const std::shared_ptr<Dbm> dbm = trained_machine(data);
  torch::NoGradGuard no_graph;
  Rng rng(2);
  const auto kept = static_cast<std::size_t>(dbm->kept());
  DbmLayers s = dbm->chains;
  DenseSteps dense(*dbm);
  Comparison all("block Gibbs step, 784-500-1000, 100 chains");
  all.add("step", [&] {
    dbm->draw_half(1 - dbm->kept(), s, rng);
    dbm->draw_half(dbm->kept(), s, rng);
  });
  all.add("dense products", [&] { dense.step(); });
  all.run();
  require(at::logical_or(s[kept] == 0, s[kept] == 1).all().item<bool>(), "the chains are not bits");
  all.ratio("step", "dense products", 0.8, false);
}

const Registration block_step("dbm", compare);

}  // namespace
}  // namespace deepgen::bench
