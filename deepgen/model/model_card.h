// What is said of a model beside its code: help, refusals, tests and the table in README read it. Torch-free.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "deepgen/data/files/data_shape.h"
#include "deepgen/data/files/table_reading.h"
#include "deepgen/model/training_options.h"

namespace deepgen {

// Of a model, or of its learning, where there is nothing to choose.
struct NoOptions : Options {
  void visit(OptionVisitor&) override {}
};

// A small instance on which the laws of the registry run: every law takes each of them, and skips by what the
// model can do alone.
struct SmallCase {
  std::string name;                      // "" or a word for what differs: "vamp", "random_order"
  std::vector<std::string> settings;     // {"model.hidden=4", "training.learning=pcd"}
  ValueKind values = ValueKind::binary;  // of the rows that the laws make
  bool pictures = false;                 // cases are [1, 4, 4] and not [n]
  std::vector<ColumnGroup> groups = {};  // of a table of mixed kinds, in place of `values`
};

struct ModelCard {
  std::string name, title, source;
  std::string family;  // the folder of deepgen/models it lives in
  // What the card's classes are: made by cards_of (models/catalogue.cpp).
  std::unique_ptr<Options> (*options)() = nullptr;
  std::unique_ptr<Options> (*learning)() = nullptr;
  // The trainer's options that suit the model when nothing is said.
  TrainingOptions training = {};
  // The kinds of columns it takes, one by one or mixed.
  std::vector<ColumnKind> takes;
  TableReading table = {};  // how it wants a table where the SPEC does not say
  bool needs_labels = false;
  std::string recipe;  // that shows it: recipes/<recipe>.toml
  std::vector<SmallCase> small_cases;
};

// Networks trained by automatic differentiation.
inline TrainingOptions adam_training(double rate = 1e-3, double momentum = 0) {
  TrainingOptions training;
  training.optimiser = "adam";
  training.rate = rate;
  training.momentum = momentum;
  return training;
}

}  // namespace deepgen
