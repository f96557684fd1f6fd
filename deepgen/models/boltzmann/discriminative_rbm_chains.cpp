// Gibbs sampling and annealing of the discriminative restricted Boltzmann machine: of x, the label drawn beside
// it or summed out.
#include <utility>
#include <vector>

#include "deepgen/models/boltzmann/discriminative_rbm.h"
#include "deepgen/models/boltzmann/rbm_annealing.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/parts/checks/categories.h"

namespace deepgen {

// ---------------------------------------------------------------- sampling

Tensor DiscriminativeRbm::chain_start(std::int64_t count, Rng& rng) const {
  return joint_->chain_start(count, rng).narrow(1, 0, columns()).contiguous();
}

Tensor DiscriminativeRbm::chain_steps(const Tensor& x, std::int64_t steps, Rng& rng) const {
  return clamped_steps(x, steps, {}, rng);
}

// With a label from p(y | x) the pair is where the machine's own chain keeps it.
Tensor DiscriminativeRbm::clamped_steps(const Tensor& x, std::int64_t steps, const Tensor& known,
                                        Rng& rng) const {
  NoGradGuard no_graph;
  Tensor all;
  if (known.defined()) all = at::cat({known, at::zeros({x.size(0), classes_}, at::kBool)}, 1);
  return joint_->clamped_steps(drawn_joint_rows(x, rng), steps, all, rng)
      .narrow(1, 0, columns())
      .contiguous();
}

Tensor DiscriminativeRbm::chain_mean(const Tensor& x, Rng& rng) const {
  NoGradGuard no_graph;
  return joint_->chain_mean(drawn_joint_rows(x, rng), rng).narrow(1, 0, columns()).contiguous();
}

// ---------------------------------------------------------------- annealing

namespace {

// Chains of x along
//
//   E_beta = (1 - beta) E_0 + beta E,
//
// E_0 that of independent units, with y and h summed out of the weights:
//
//   log p*_beta(x) = t_beta.x + log base(x) + log sum_y exp(d_beta,y + sum_j softplus(beta a_yj))
//
//   a_yj = c_j + W_j x + U_jy,   t_beta and d_beta between the biases of E_0 and E.
class DiscriminativeAnnealedChains : public AnnealedChains {
 public:
  DiscriminativeAnnealedChains(const DiscriminativeRbm& model, const Tensor& x, Tensor known)
      : model_(model),
        coupling_(model.cell_coupling()),
        biases_(model.class_hidden_bias()),
        start_(x),
        known_(std::move(known)),
        x_(x.clone()) {
    const NaturalParameters base = model.joint().base_natural(), own = model.joint().visible_natural();
    const std::int64_t columns = model.columns(), classes = model.classes();
    base_.theta = base.theta.narrow(0, 0, columns), cells_.theta = own.theta.narrow(0, 0, columns);
    base_class_ = base.theta.narrow(0, columns, classes).to(at::kDouble);
    class_ = own.theta.narrow(0, columns, classes).to(at::kDouble);
    measure();
  }

  void step(double from, double to, Tensor& log_weights, Rng& rng) override {
    NoGradGuard no_graph;
    const Tensor after = log_classes(to);
    log_weights.add_(slope_, to - from);
    log_weights.add_(at::logsumexp(after, 1) - at::logsumexp(log_classes(from), 1));
    const Tensor bias = biases_.index_select(0, draw_categories(after, rng));
    Tensor h = input_ + bias;
    binary_layer(h, {}, to, rng.next(), {.sample = h});
    coupling_.input_to_lower(x_, h);
    model_.cells().activate(x_, between(base_, cells_, to), to, rng, {.sample = x_});
    if (known_.defined()) x_ = at::where(known_, start_, x_);
    measure();
  }

  Tensor states(Rng&) const override { return x_.clone(); }

 private:
  void measure() {
    coupling_.input_to_upper(input_, x_);
    slope_ = model_.cells().log_weight(x_, cells_.theta, {}) - model_.cells().log_weight(x_, base_.theta, {});
  }
  // d_beta,y + sum_j softplus(beta a_yj), [chains, C].
  Tensor log_classes(double beta) const {
    const Tensor own = at::lerp(base_class_, class_, beta), biases = biases_ * beta;
    std::vector<Tensor> all;
    for (std::int64_t y = 0; y < own.size(0); ++y)
      all.push_back(softplus_row_sum(input_, biases[y], beta) + own[y]);
    return at::stack(all, 1);
  }

  const DiscriminativeRbm& model_;
  const DenseCoupling coupling_;
  const Tensor biases_;               // c + U, [C, H]
  NaturalParameters base_, cells_;    // of x
  Tensor base_class_, class_;         // of y, [C]
  Tensor start_, known_, x_, input_;  // [chains, D], input x W [chains, H]
  Tensor slope_;                      // of the cells' part of log p*_beta in beta, [chains]
};

}  // namespace

Tensor DiscriminativeRbm::log_base_partition_given(const Tensor& x) const {
  return joint_->log_base_partition_given(joint_rows(x, {}));
}

std::unique_ptr<AnnealedChains> DiscriminativeRbm::anneal_from_base(std::int64_t count, Rng& rng) const {
  return anneal_from(chain_start(count, rng));
}

std::unique_ptr<AnnealedChains> DiscriminativeRbm::anneal_from(const Tensor& x) const {
  NoGradGuard no_graph;
  return std::make_unique<DiscriminativeAnnealedChains>(*this, x, Tensor());
}

std::unique_ptr<AnnealedChains> DiscriminativeRbm::anneal_given(const Tensor& x, Rng& rng) const {
  NoGradGuard no_graph;
  const Tensor known = x.isnan().logical_not();
  return std::make_unique<DiscriminativeAnnealedChains>(
      *this, at::where(known, x, chain_start(x.size(0), rng)), known);
}

}  // namespace deepgen
