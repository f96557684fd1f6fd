#include "deepgen/evaluate/network_classifier.h"

#include "deepgen/core/work.h"
#include "deepgen/parts/nets/discriminator.h"
#include "deepgen/train/flat.h"
#include "deepgen/train/optimiser.h"

namespace deepgen {

// A model so that its parameters can lie in one buffer; it is none of the registry and has no options.
class NetworkClassifier::Network : public Model {
 public:
  Network(std::int64_t columns, std::int64_t classes, const NetworkPlan& plan)
      : hidden_(register_module("hidden", std::make_shared<Mlp>(columns, plan.hidden, "relu"))),
        output_(register_module("output", std::make_shared<DenseLayer>(hidden_->out(), classes))),
        plan_(plan) {}
  void initialise(const Rows&, Rng& rng) override {
    hidden_->initialise(rng);
    output_->initialise(rng);
  }
  Tensor logits(Tensor x, Rng* rng) const {
    if (rng) x = dropped(x, plan_.input_dropout, *rng);
    for (const auto& layer : hidden_->layers()) {
      x = layer->forward(x);
      if (rng) x = dropped(x, plan_.hidden_dropout, *rng);
    }
    return output_->forward(x);
  }
  // Of the mean cross entropy.
  void fill_gradients_of(const Rows& batch, Rng& rng) {
    const Tensor log_p = at::log_softmax(logits(batch.x, &rng).to(at::kDouble), 1);
    fill_gradients(-log_p.gather(1, batch.y.unsqueeze(1)).mean(), parameters());
  }
  Options& options() override { return none_; }
  Options& learning() override { return none_; }

 private:
  struct None : Options {
    void visit(OptionVisitor&) override {}
  };
  std::shared_ptr<Mlp> hidden_;
  std::shared_ptr<DenseLayer> output_;
  NetworkPlan plan_;
  None none_;
};

NetworkClassifier::NetworkClassifier(const Tensor& x, const Tensor& y, std::int64_t classes,
                                     const NetworkPlan& plan, Rng& rng, Observer& observer)
    : network_(std::make_shared<Network>(x.size(1), classes, plan)) {
  network_->initialise({}, rng);
  FlatParameters flat(*network_);
  TrainingOptions options;
  options.optimiser = "adam", options.rate = plan.rate, options.schedule = "linear";
  Optimiser optimiser(options, flat);
  const std::int64_t rows = x.size(0), steps = (rows + plan.batch - 1) / plan.batch;
  Work work(observer, "classifier", plan.epochs * steps);
  for (std::int64_t epoch = 0; epoch < plan.epochs; ++epoch) {
    const Tensor order = at::tensor(rng.permutation(rows), at::kLong);
    for (std::int64_t step = 0; step < steps; ++step) {
      const std::int64_t first = step * plan.batch;
      const Tensor some = order.narrow(0, first, std::min(plan.batch, rows - first));
      network_->fill_gradients_of({x.index_select(0, some), y.index_select(0, some)}, rng);
      optimiser.update(flat.slices(), scheduled_rate(options, epoch * steps + step, plan.epochs * steps));
      work.advance(1);
    }
  }
}

Tensor NetworkClassifier::logits(const Tensor& x) const {
  NoGradGuard no_graph;
  constexpr std::int64_t block = 2000;
  std::vector<Tensor> parts;
  for (std::int64_t first = 0; first < x.size(0); first += block)
    parts.push_back(network_->logits(x.narrow(0, first, std::min(block, x.size(0) - first)), nullptr));
  return at::cat(parts);
}

Tensor NetworkClassifier::predict(const Tensor& x) const { return logits(x).argmax(1); }

}  // namespace deepgen
