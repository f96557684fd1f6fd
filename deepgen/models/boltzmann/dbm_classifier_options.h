// Options of the classifier made of a deep Boltzmann machine (dbm_classifier.h). Torch-free.
#pragma once

#include "deepgen/models/boltzmann/dbm_options.h"

namespace deepgen {

struct DbmClassifierLearning : DbmLearning {
  bool train_machine = true;
  double fine_tune_share = 1, fine_tune_rate = 0.05, fine_tune_momentum = 0.9, fine_tune_decay = 0;
  double input_dropout = 0, hidden_dropout = 0;

  void visit(OptionVisitor& v) override {
    DbmLearning::visit(v);
    v.field({"train_machine",
             "learn the machine first; without it the network is fine-tuned from the machine as it is, that "
             "of another run: --start RUN:machine="},
            train_machine);
    v.field({"fine_tune_share", "epochs of fine-tuning, as a share of those of the machine's joint stage",
             0.001, 1e3},
            fine_tune_share);
    v.field({"fine_tune_rate", "learning rate at the start of fine-tuning", 0, 1e3}, fine_tune_rate);
    v.field({"fine_tune_momentum", "momentum of fine-tuning", 0, 0.9999}, fine_tune_momentum);
    v.field({"fine_tune_decay", "weight decay (L2) of fine-tuning", 0, 1e3}, fine_tune_decay);
    v.field({"input_dropout", "share of the network's inputs dropped at random in fine-tuning", 0, 0.95},
            input_dropout);
    v.field({"hidden_dropout", "share of its hidden units dropped at random in fine-tuning", 0, 0.95},
            hidden_dropout);
  }
};

class DbmClassifier;

struct DbmClassifierCard {
  using Model = DbmClassifier;
  using ModelOptions = DbmOptions;
  using LearningOptions = DbmClassifierLearning;
  static ModelCard card() {
    const std::string large = "model.weight_scale=0.5", few = "training.chains=30";
    return {.name = "dbm_classifier",
            .title = "Classifier made of a deep Boltzmann machine, mean field beside the data, fine-tuned",
            .source = "Salakhutdinov and Hinton 2009, section 3.4",
            .family = "boltzmann",
            .training = DbmCard::training(),
            .takes = {ColumnKind::binary},
            .needs_labels = true,
            .recipe = "dbm-classify",
            .small_cases = {{.name = "", .settings = {"model.hidden=4,3", large, few}},
                            {.name = "pretrained",
                             .settings = {"model.hidden=5,4,3", large, few, "training.pretrain=true",
                                          "training.input_dropout=0.2", "training.hidden_dropout=0.5"}}}};
  }
};

}  // namespace deepgen
