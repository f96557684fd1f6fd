// Options of the machines of sequences: RNN-RBM (rnn_rbm.h) and RTRBM (rtrbm.h). Torch-free.
#pragma once

#include "deepgen/model/model_card.h"

namespace deepgen {

struct RtrbmOptions : Options {
  std::int64_t hidden = 150, temperatures = 100, exact_units = 12;

  void visit(OptionVisitor& v) override {
    v.field({"hidden", "hidden units of the machine of each row", 1, 1e5}, hidden);
    v.field({"temperatures",
             "temperatures from independent units to the machine through which each row is drawn and scored; "
             "more make the bound tighter and take as much longer",
             1, 1e6},
            temperatures);
    v.field(
        {"exact_units",
         "rows are drawn and scored exactly, over all states of its smaller layer, where that has at most "
         "so many units",
         0, 20},
        exact_units);
  }
};

struct RnnRbmOptions : RtrbmOptions {
  std::int64_t recurrent = 100;

  void visit(OptionVisitor& v) override {
    RtrbmOptions::visit(v);
    v.field({"recurrent", "recurrent units, which remember the rows before", 1, 1e5}, recurrent);
  }
};

struct RecurrentRbmLearning : Options {
  std::int64_t gibbs_steps = 15;

  void visit(OptionVisitor& v) override {
    v.field({"gibbs_steps", "Gibbs steps from each row to the model's row it is compared with", 1, 1e5},
            gibbs_steps);
  }
};

// What the two cards have in common.
inline ModelCard recurrent_rbm_card(const std::string& name, const std::vector<std::string>& few) {
  TrainingOptions training = adam_training();
  training.batch = 10;
  training.epochs = 200;
  training.clip = 5;
  std::vector<std::string> annealed = few;
  annealed.insert(annealed.end(), {"model.exact_units=0", "model.temperatures=10"});
  ModelCard card;
  card.name = name;
  card.family = "sequences";
  card.training = training;
  card.takes = {ColumnKind::binary};
  card.small_cases = {{.name = "", .settings = few}, {.name = "annealed", .settings = annealed}};
  return card;
}

class RnnRbm;

struct RnnRbmCard {
  using Model = RnnRbm;
  using ModelOptions = RnnRbmOptions;
  using LearningOptions = RecurrentRbmLearning;
  static ModelCard card() {
    ModelCard card = recurrent_rbm_card("rnn_rbm", {"model.hidden=4", "model.recurrent=3"});
    card.title = "Recurrent net over restricted Boltzmann machines: sequences of bits";
    card.source = "Boulanger-Lewandowski, Bengio, Vincent 2012";
    card.recipe = "rnn-rbm-jsb";
    return card;
  }
};

class Rtrbm;

struct RtrbmCard {
  using Model = Rtrbm;
  using ModelOptions = RtrbmOptions;
  using LearningOptions = RecurrentRbmLearning;
  static ModelCard card() {
    ModelCard card = recurrent_rbm_card("rtrbm", {"model.hidden=4"});
    card.title = "Recurrent temporal restricted Boltzmann machine: sequences of bits";
    card.source = "Sutskever, Hinton, Taylor 2008";
    card.recipe = "rtrbm-jsb";
    return card;
  }
};

}  // namespace deepgen
