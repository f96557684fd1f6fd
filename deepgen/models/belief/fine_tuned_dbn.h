// A deep belief network whose layers, learnt one after another, are the start of a network that is trained as
// a whole.
//
// The first stages are those of the network itself (dbn.h, whose letters these are). Then its machines become
// the layers of a deterministic network, in which the means of the units go upwards,
//
//   h_0 = x
//   h_l = f_l(y_l-1 W_l + c_l)        y the coupled states of rbm.h, s as the layers have left it
//   f_l = sigmoid (binary), identity (gaussian), softplus (rectified; the uppermost max(0, a)),
//
// which are the means of these units (of rectified ones within 0.011), and the last stage, fine_tune, moves
// all W_l and c_l, and what a model puts on top of them, along the gradient of the model's own objective,
// found by backpropagation.
//
// Without pretraining (training.pretrain=false) fine_tune is the only stage, and weights begin uniform with
// the variance 2 / (in + out), biases at zero.
//
// Grey values in [0, 1] are taken as the means of bits, as in the sources: the visible units are binary.
//
// What is no longer a model of the data after fine_tune is not offered: no samples and no likelihood.
//
// Sources: Hinton and Salakhutdinov 2006, "Reducing the dimensionality of data with neural networks"; Bengio,
// Lamblin, Popovici, Larochelle 2007, "Greedy layer-wise training of deep networks"; Glorot and Bengio 2010
// (random weights).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "deepgen/models/belief/dbn.h"
#include "deepgen/models/belief/fine_tuned_dbn_options.h"
#include "deepgen/parts/nets/nets.h"

namespace deepgen {

class FineTunedDbn : public Model, public HasGradients, public CanEncode {
 public:
  // Training.
  std::vector<Stage> stages() override;  // "layer1", "layer2", ..., "fine_tune"
  void initialise(const Rows& sample, Rng& rng) override;
  void begin_stage(const Turn& turn, const Rows& sample, Rng& rng) override;
  Metrics gradients(const Rows& batch, const Turn& turn, Rng& rng) override;
  void project(const Turn& turn) override;
  Metrics diagnose(const Rows& train, const Rows& valid, Rng& rng) override;
  std::string diverged(const Metrics& diagnosis) const override;
  Tensor filters() const override { return stack_->filters().detach(); }
  void check_data(const Tensor& x, const std::string& what, std::int64_t first_row = 0) const override;
  void check_optimiser(const std::string& name, int stage) const override;
  bool decays(const std::string& parameter_name, const Tensor& parameter) const override;

  // h_L; before fine_tune has begun the network's code, that of the uppermost layer that has.
  Tensor encode(const Rows& rows) const override;

  const Dbn& stack() const { return *stack_; }
  std::size_t layers() const { return layers_; }
  const Rbm& machine(std::size_t l) const { return stack_->machine(l); }
  bool fine_tune_has_begun() const;

 protected:
  // `name`: of the model, in its errors.
  FineTunedDbn(std::string name, const DbnOptions& options, const FineTuneLearning& learning,
               const DataShape& data);

  // The way up, a graph with it where gradients are wanted.
  Tensor upwards(const Tensor& x, const Dropout& dropout = {}) const;
  Activation activation(std::size_t l) const;  // f of the hidden units of machine l

  // What fine_tune trains beside the W_l and c_l.
  virtual std::vector<Tensor> own_parameters() const = 0;
  virtual void begin_fine_tune(const Rows& sample) = 0;
  // The mean over the rows of what fine_tune descends, with its graph.
  virtual Tensor fine_loss(const Rows& batch, Rng& rng, Metrics& metrics) const = 0;
  virtual bool learns_from_labels() const { return false; }  // fine_tune visits the labelled rows alone
  virtual void project_fine() {}
  virtual Metrics diagnose_fine(const Rows& train, const Rows& valid) const = 0;
  std::vector<Tensor> fine_parameters() const;

 private:
  bool fine_tunes(const Turn& turn) const;
  void begin_at_random(const Rows& sample, Rng& rng);

  std::string name_;
  FineTuneLearning learning_;
  std::size_t layers_;
  UnitLayer cells_;  // what the columns may hold
  std::shared_ptr<Dbn> stack_;
  Tensor fine_tune_;  // [1] float32: 1 when the stage has begun
};

}  // namespace deepgen
