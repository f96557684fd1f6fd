// Tempered chains of the deep Boltzmann machine (training.learning=pt).
#include <cmath>
#include <utility>

#include "deepgen/models/boltzmann/dbm.h"
#include "deepgen/ops/binary_units.h"

namespace deepgen {
namespace {

// The inverse temperatures 0, 1/(T-1), ..., 1 along the annealing path, and the rows of each.
class DbmLadder {
 public:
  DbmLadder(const Dbm& dbm, std::int64_t levels, std::int64_t count)
      : dbm_(dbm), levels_(levels), count_(count) {
    for (std::size_t l = 0; l < dbm.layers(); ++l) base_.push_back(dbm.base_activation(l));
  }
  double beta(std::int64_t t) const { return static_cast<double>(t) / static_cast<double>(levels_ - 1); }
  Tensor rows(const Tensor& all, std::int64_t t) const { return all.narrow(0, t * count_, count_); }
  Tensor top_rows(const Tensor& all) const { return rows(all, levels_ - 1); }

  // A draw of layer l in place of what it receives; the means of the rows at 1 too, where `mean` is defined.
  void draw(std::size_t l, Tensor& input, Rng& rng, const Tensor& mean = {}) const {
    for (std::int64_t t = 0; t < levels_; ++t) {
      const Tensor part = rows(input, t);
      const bool wanted = mean.defined() && t + 1 == levels_;
      binary_layer(part, bias_at(l, beta(t)), beta(t), rng.next(),
                   {.mean = wanted ? mean : Tensor(), .sample = part});
    }
  }

  // Neighbours swap states with the Metropolis probability, pairs (t, t + 1) with t even or odd by turns.
  // `rates` [T - 1] follow how many do.
  void swap(bool odd, DbmLayers& s, DbmLayers& inputs, Tensor& rates, Rng& rng) const {
    constexpr double memory = 0.99;
    const Tensor order = at::arange(levels_ * count_, at::kLong);
    auto* place = order.data_ptr<std::int64_t>();
    for (std::int64_t t = odd ? 1 : 0; t + 1 < levels_; t += 2) {
      const double low = beta(t), high = beta(t + 1);
      const Tensor log_ratio = gain(t, low, high, s, inputs) - gain(t + 1, low, high, s, inputs);
      double accepted = 0;
      for (std::int64_t m = 0; m < count_; ++m) {
        if (std::log(rng.uniform()) >= log_ratio.data_ptr<double>()[m]) continue;
        std::swap(place[t * count_ + m], place[(t + 1) * count_ + m]);
        accepted += 1;
      }
      float& rate = rates.data_ptr<float>()[t];
      rate = static_cast<float>(memory * static_cast<double>(rate) +
                                (1 - memory) * accepted / static_cast<double>(count_));
    }
    for (DbmLayers* moved : {&s, &inputs})
      for (Tensor& each : *moved)
        if (each.defined()) each = each.index_select(0, order);
  }

 private:
  // log p*_high - log p*_low of the rows of level t, the layers that `inputs` are of summed out; s: the
  // others.
  Tensor gain(std::int64_t t, double low, double high, const DbmLayers& s, const DbmLayers& inputs) const {
    Tensor sum = at::zeros({count_}, at::kDouble);
    for (std::size_t l = 0; l < s.size(); ++l) {
      if (inputs[l].defined()) {
        const Tensor part = rows(inputs[l], t);
        sum += softplus_row_sum(part, bias_at(l, high), high) - softplus_row_sum(part, bias_at(l, low), low);
        continue;
      }
      const Tensor tilt = dbm_.biases[l].to(at::kDouble) - base_[l].to(at::kDouble);
      sum.add_((rows(s[l], t).to(at::kDouble) * tilt).sum(1), high - low);
    }
    return sum;
  }
  Tensor bias_at(std::size_t l, double beta) const { return at::lerp(base_[l], dbm_.biases[l], beta); }

  const Dbm& dbm_;
  std::int64_t levels_, count_;
  std::vector<Tensor> base_;
};

}  // namespace

// The chains hold the kept half, level after level. They swap before the Gibbs steps, while the other half is
// summed out; those at 1 are the model's.
void Dbm::tempered_phase(const Turn& turn, Rng& rng) {
  const DbmLadder ladder(*this, learning_.temperatures, learning_.chains);
  DbmLayers s = chains, means_at_one(layers());
  for (std::int64_t k = 0; k < learning_.gibbs_steps; ++k) {
    const bool last = k + 1 == learning_.gibbs_steps;
    DbmLayers inputs(layers());
    for (auto l = static_cast<std::size_t>(1 - kept_); l < layers(); l += 2) inputs[l] = input_of(l, s);
    if (k == 0) ladder.swap(turn.step % 2 == 1, s, inputs, swap_rates, rng);
    for (auto l = static_cast<std::size_t>(1 - kept_); l < layers(); l += 2) {
      ladder.draw(l, inputs[l], rng);
      s[l] = inputs[l];
    }
    for (auto l = static_cast<std::size_t>(kept_); l < layers(); l += 2) {
      Tensor input = input_of(l, s);
      if (last) means_at_one[l] = at::empty({learning_.chains, units(l)});
      ladder.draw(l, input, rng, means_at_one[l]);
      s[l] = input;
    }
  }
  for (std::size_t l = 0; l < layers(); ++l)
    if (chains[l].defined())
      chains[l].copy_(s[l]);
    else
      means_at_one[l] = ladder.top_rows(s[l]);
  add_model_statistics(means_at_one);
}

}  // namespace deepgen
