// Gibbs sampling and annealing of the deep Boltzmann machine: one half of its layers, the other summed out.
#include <utility>

#include "deepgen/models/boltzmann/dbm_half.h"
#include "deepgen/ops/binary_units.h"

namespace deepgen {

// ---------------------------------------------------------------- cases and states

const Model& Dbm::top_machine() const { return *half_; }

// From the means of the mean field some steps of the hidden layers given the cases, which no longer takes
// them for independent.
Tensor Dbm::states_of(const Tensor& x, Rng& rng) const {
  constexpr int settling_steps = 20;
  torch::NoGradGuard no_graph;
  DbmLayers s = mean_field(x).means;
  const Tensor cases = x.contiguous();
  for (int k = 0; k < settling_steps; ++k)
    for (const int parity : {1, 0}) {
      draw_half(parity, s, rng);
      s[0] = cases;
    }
  return join_half(s, kept_);
}

Tensor Dbm::cases_of(const Tensor& states, bool wanted_means, Rng& rng) const {
  torch::NoGradGuard no_graph;
  DbmLayers s = split_half(states, kept_, 0);
  if (kept_ == 0) {
    if (!wanted_means) return s[0];
    draw_half(1, s, rng);
  }
  const Tensor v = input_of(0, s);
  const Stream stream = rng.next();
  if (wanted_means)
    binary_layer(v, biases[0], 1, stream, {.mean = v});
  else
    binary_layer(v, biases[0], 1, stream, {.sample = v});
  return v;
}

Tensor Dbm::complete(const Rows& rows, Rng& rng) const {
  torch::NoGradGuard no_graph;
  const Tensor& x = rows.x;
  const Tensor known = x.isnan().logical_not();
  if (known.all().item<bool>()) return x;
  DbmLayers s(layers());
  for (std::size_t l = 0; l < layers(); l += 2) {
    s[l] = at::zeros({x.size(0), units(l)});
    binary_layer(s[l], base_activation(l), 1, rng.next(), {.sample = s[l]});
  }
  s[0] = at::where(known, x, s[0]);
  for (std::int64_t k = 0; k < options_.completion_steps; ++k) {
    draw_half(1, s, rng);
    draw_half(0, s, rng);
    s[0] = at::where(known, x, s[0]);
  }
  return s[0];
}

// ---------------------------------------------------------------- the kept half

Tensor DbmHalf::free_energy(const Rows& rows) const {
  torch::NoGradGuard no_graph;
  return -dbm_.log_sum_over(1 - dbm_.kept(), split(rows.x));
}

std::optional<Tensor> DbmHalf::marginal_free_energy(const Rows& rows) const {
  if (rows.x.isnan().any().item<bool>()) return std::nullopt;
  return free_energy(rows);
}

Tensor DbmHalf::chain_start(std::int64_t count, Rng& rng) const {
  torch::NoGradGuard no_graph;
  DbmLayers s(dbm_.layers());
  for (auto l = static_cast<std::size_t>(dbm_.kept()); l < dbm_.layers(); l += 2) {
    s[l] = at::zeros({count, dbm_.units(l)});
    binary_layer(s[l], dbm_.base_activation(l), 1, rng.next(), {.sample = s[l]});
  }
  return dbm_.join_half(s, dbm_.kept());
}

Tensor DbmHalf::chain_steps(const Tensor& x, std::int64_t steps, Rng& rng) const {
  torch::NoGradGuard no_graph;
  DbmLayers s = split(x);
  for (std::int64_t k = 0; k < steps; ++k) {
    dbm_.draw_half(1 - dbm_.kept(), s, rng);
    dbm_.draw_half(dbm_.kept(), s, rng);
  }
  return dbm_.join_half(s, dbm_.kept());
}

Tensor DbmHalf::chain_mean(const Tensor& x, Rng& rng) const {
  torch::NoGradGuard no_graph;
  DbmLayers s = split(x);
  dbm_.draw_half(1 - dbm_.kept(), s, rng);
  for (auto l = static_cast<std::size_t>(dbm_.kept()); l < dbm_.layers(); l += 2) s[l] = Tensor();
  dbm_.add_means(dbm_.kept(), s);
  return dbm_.join_half(s, dbm_.kept());
}

// ---------------------------------------------------------------- annealing

namespace {

// Chains of annealed importance sampling in the kept half. What the other layers receive from it is kept, so
// a step costs two products a coupling.
class DbmAnnealedChains : public AnnealedChains {
 public:
  DbmAnnealedChains(const Dbm& dbm, const Tensor& states, const Tensor& known)
      : dbm_(dbm), inputs_(dbm.layers()) {
    s_ = start_ = dbm.split_half(states, dbm.kept(), 0);
    known_ = known.defined() ? dbm.split_half(known, dbm.kept(), 0) : DbmLayers(dbm.layers());
    for (std::size_t l = 0; l < dbm.layers(); ++l) base_.push_back(dbm.base_activation(l));
    measure();
  }

  void step(double from, double to, Tensor& log_weights, Rng& rng) override {
    torch::NoGradGuard no_graph;
    for (std::size_t l = 0; l < s_.size(); ++l) {
      if (kept(l)) {
        const Tensor tilt = dbm_.biases[l].to(at::kDouble) - base_[l].to(at::kDouble);
        log_weights.add_((s_[l].to(at::kDouble) * tilt).sum(1), to - from);
        continue;
      }
      const Tensor bias = bias_at(l, to);
      log_weights.add_(softplus_row_sum(inputs_[l], bias, to) -
                       softplus_row_sum(inputs_[l], bias_at(l, from), from));
      s_[l] = at::empty_like(inputs_[l]);
      binary_layer(inputs_[l], bias, to, rng.next(), {.sample = s_[l]});
    }
    for (std::size_t l = 0; l < s_.size(); ++l)
      if (kept(l)) draw(l, to, rng);
    measure();
  }

  Tensor states(Rng&) const override { return dbm_.join_half(s_, dbm_.kept()); }

 private:
  bool kept(std::size_t l) const { return static_cast<int>(l % 2) == dbm_.kept(); }
  Tensor bias_at(std::size_t l, double beta) const { return at::lerp(base_[l], dbm_.biases[l], beta); }
  void draw(std::size_t l, double beta, Rng& rng) {
    const Tensor input = dbm_.input_of(l, s_);
    binary_layer(input, bias_at(l, beta), beta, rng.next(), {.sample = input});
    s_[l] = known_[l].defined() ? at::where(known_[l], start_[l], input) : input;
  }
  void measure() {
    for (std::size_t l = 0; l < s_.size(); ++l)
      if (!kept(l)) inputs_[l] = dbm_.input_of(l, s_);
  }

  const Dbm& dbm_;
  DbmLayers s_, start_, known_, inputs_;
  std::vector<Tensor> base_;
};

}  // namespace

double DbmHalf::log_base_partition() const {
  double sum = 0;
  for (std::size_t l = 0; l < dbm_.layers(); ++l)
    sum += softplus_row_sum64(dbm_.base_activation(l).unsqueeze(0)).item<double>();
  return sum;
}

Tensor DbmHalf::log_base_partition_given(const Tensor& x) const {
  const DbmLayers cells = split(x);
  Tensor sum = at::full({x.size(0)}, log_base_partition(), at::kDouble);
  for (auto l = static_cast<std::size_t>(dbm_.kept()); l < dbm_.layers(); l += 2) {
    const Tensor a = dbm_.base_activation(l).to(at::kDouble), s = cells[l].to(at::kDouble);
    sum += at::where(s.isnan(), at::zeros_like(s), s * a - softplus64(a)).sum(1);
  }
  return sum;
}

std::unique_ptr<AnnealedChains> DbmHalf::anneal_from_base(std::int64_t count, Rng& rng) const {
  return anneal_from(chain_start(count, rng));
}

std::unique_ptr<AnnealedChains> DbmHalf::anneal_from(const Tensor& x) const {
  torch::NoGradGuard no_graph;
  return std::make_unique<DbmAnnealedChains>(dbm_, x, Tensor());
}

std::unique_ptr<AnnealedChains> DbmHalf::anneal_given(const Tensor& x, Rng& rng) const {
  torch::NoGradGuard no_graph;
  const Tensor known = x.isnan().logical_not();
  return std::make_unique<DbmAnnealedChains>(dbm_, at::where(known, x, chain_start(x.size(0), rng)), known);
}

}  // namespace deepgen
