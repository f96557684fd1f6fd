// Multi-prediction training of the deep Boltzmann machine (training.learning=multi_prediction): of each row
// some units are hidden, the mean field tells them from the others, and what they were given as their
// probability is raised by going back through its steps (Goodfellow, Mirza, Courville, Bengio 2013).
#include "deepgen/models/boltzmann/dbm.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/parts/couplings/dense_coupling.h"

namespace deepgen {
namespace {

// Steps of the mean field that are remembered. Each move gives one layer the means
//
//   mu_l = sigmoid(a_l),   a_l = mu_l-1 W_l-1 + mu_l+1 W_l^T + b_l
//
// and keeps what it read; the masked units of layer 0 are such a layer, the others stay at x.
class RememberedMeanField {
 public:
  RememberedMeanField(const Dbm& dbm, const Tensor& x, const Tensor& masked)
      : dbm_(dbm), x_(x), masked_(masked), s_(dbm.layers()) {
    for (std::size_t l = 0; l < dbm.layers(); ++l)
      s_[l] = dbm.means[l].expand({x.size(0), dbm.units(l)}).contiguous();
    s_[0] = at::where(masked_, s_[0], x_);
  }

  // Odd layers, then even ones; of the last step what the answer depends on.
  void run(std::int64_t steps) {
    for (std::int64_t k = 0; k < steps; ++k)
      for (const std::size_t first : {std::size_t{1}, std::size_t{0}})
        for (std::size_t l = first; l < dbm_.layers(); l += 2)
          if (k + 1 < steps || l <= 1) move(l);
  }

  // The mean over rows of the log-probability of the masked units.
  double log_prob() const {
    const Tensor mean = moves_.back().mean.to(at::kDouble);
    const Tensor right = at::where(x_ > 0.5, mean, 1 - mean).clamp_min(1e-12).log();
    return at::where(masked_, right, at::zeros_like(right)).sum(1).mean().item<double>();
  }

  // Adds to the gradients that of minus log_prob, move by move from the last one.
  void go_back() const {
    DbmLayers pull(dbm_.layers());  // of minus log_prob by the means as they stand; undefined: none
    const Tensor missed = moves_.back().mean - x_;
    Tensor slope = hidden_cells_of(missed) / static_cast<double>(x_.size(0));
    for (auto move = moves_.rbegin(); move != moves_.rend(); ++move) {
      const std::size_t l = move->layer;
      if (move != moves_.rbegin()) {
        if (!pull[l].defined()) continue;
        slope = pull[l] * move->mean * (1 - move->mean);
        if (l == 0) slope = hidden_cells_of(slope);
        pull[l] = Tensor();  // before the move it had other means
      }
      add(*move, slope, pull);
    }
  }

  const DbmLayers& states() const { return s_; }

 private:
  struct Move {
    std::size_t layer;
    Tensor below, above, mean;
  };

  void move(std::size_t l) {
    Tensor mean = dbm_.input_of(l, s_);
    Rng unused(0);
    binary_layer(mean, dbm_.biases[l], 1, unused.next(), {.mean = mean});
    moves_.push_back({l, l > 0 ? s_[l - 1] : Tensor(), l + 1 < dbm_.layers() ? s_[l + 1] : Tensor(), mean});
    s_[l] = l == 0 ? at::where(masked_, mean, x_) : mean;
  }

  // slope [B, n_l]: by a_l. To the gradients, and to the pull at the layers that were read.
  void add(const Move& move, const Tensor& slope, DbmLayers& pull) const {
    const std::size_t l = move.layer;
    Tensor db = dbm_.biases[l].grad();
    column_sums(slope, 1, true, db);
    if (move.below.defined()) {
      const DenseCoupling coupling(dbm_.weights[l - 1]);
      Tensor dw = dbm_.weights[l - 1].grad();
      coupling.add_products(dw, move.below, slope, 1, 1);
      coupling.input_to_lower(pull[l - 1], slope, pull[l - 1].defined());
    }
    if (move.above.defined()) {
      const DenseCoupling coupling(dbm_.weights[l]);
      Tensor dw = dbm_.weights[l].grad();
      coupling.add_products(dw, slope, move.above, 1, 1);
      coupling.input_to_upper(pull[l + 1], slope, pull[l + 1].defined());
    }
  }

  Tensor hidden_cells_of(const Tensor& values) const {
    return at::where(masked_, values, at::zeros_like(values));
  }

  const Dbm& dbm_;
  Tensor x_, masked_;
  DbmLayers s_;
  std::vector<Move> moves_;
};

}  // namespace

double Dbm::prediction_gradient(const Tensor& x, const Tensor& masked) {
  torch::NoGradGuard no_graph;
  begin_gradient();
  for (const std::vector<Tensor>* parameters : {&weights, &biases})
    for (const Tensor& each : *parameters) each.mutable_grad().zero_();
  RememberedMeanField field(*this, x.contiguous(), masked);
  field.run(options_.mean_field_steps);
  field.go_back();
  const DbmLayers& s = field.states();
  for (std::size_t l = 0; l < layers(); ++l) {
    Tensor minus_mean = at::empty_like(means[l]);
    column_sums(l == 0 ? x.contiguous() : s[l], -1.0 / static_cast<double>(x.size(0)), false, minus_mean);
    follow_mean(means[l], minus_mean, learning_.offset_rate);
  }
  return field.log_prob();
}

Metrics Dbm::prediction_gradients(const Tensor& x, Rng& rng) {
  const Tensor masked = uniform(x.size(0), x.size(1), rng.next()) < learning_.masked;
  return {{"masked_log_prob_proxy", prediction_gradient(x, masked)}};
}

}  // namespace deepgen
