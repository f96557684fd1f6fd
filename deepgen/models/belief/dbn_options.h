// Options of the deep belief network (dbn.h): those of its machines, and how they are stacked. Torch-free.
#pragma once

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "deepgen/models/boltzmann/rbm_options.h"
#include "deepgen/parts/nets/sizes.h"

namespace deepgen {

// Hands on all fields but those with these names.
class FieldsBut : public OptionVisitor {
 public:
  FieldsBut(OptionVisitor& to, std::set<std::string_view> names) : to_(to), names_(std::move(names)) {}
  void field(const Field& about, std::int64_t& value) override { hand_on(about, value); }
  void field(const Field& about, double& value) override { hand_on(about, value); }
  void field(const Field& about, bool& value) override { hand_on(about, value); }
  void field(const Field& about, std::string& value) override { hand_on(about, value); }

 private:
  template <class T>
  void hand_on(const Field& about, T& value) {
    if (!names_.contains(about.name)) to_.field(about, value);
  }

  OptionVisitor& to_;
  std::set<std::string_view> names_;
};

// "A,B,C" -> {"A", "B", "C"}.
inline std::vector<std::string> layer_items(const std::string& text) {
  std::vector<std::string> items(1);
  for (const char c : text)
    if (c == ',')
      items.emplace_back();
    else
      items.back() += c;
  return items;
}

struct DbnOptions : RbmOptions {
  std::string layers = "500,500";
  std::string start = "transpose";

  std::vector<std::int64_t> sizes() const { return parse_sizes("model.layers", layers); }
  // Of the machine whose hidden units are layer `l`, from 0.
  RbmOptions machine(std::size_t l) const {
    const std::vector<std::string> kinds = layer_items(hidden_units);
    RbmOptions options = *this;
    options.hidden = sizes().at(l);
    options.hidden_units = kinds[std::min(l, kinds.size() - 1)];
    if (l > 0) options.visible_units = "auto";  // those of the layer below, whatever they are
    return options;
  }
  void check() const override {
    if (sizes().empty())
      fail_usage("model.layers", "expected the size of at least one layer, as in 500,2000");
    for (const std::string& kind : layer_items(hidden_units))
      if (unit_kind(kind, "model.hidden_units") == UnitKind::count)
        fail_usage("model.hidden_units",
                   "expected kinds of hidden units, got count: they can only be visible");
    for (std::size_t l = 0; l < sizes().size(); ++l) machine(l).check();
  }
  void visit(OptionVisitor& v) override {
    v.field({"layers",
             "units of each hidden layer, from the data up; at most 25 binary ones in either of the "
             "two uppermost make log Z exact"},
            layers);
    v.field(
        {"hidden_units",
         "kind of the hidden units (binary, softmax, mean_field, stepped, rectified, gaussian); an item for "
         "each layer, as in rectified,binary, the last for all above it"},
        hidden_units);
    FieldsBut rest(v, {"hidden", "hidden_units"});
    RbmOptions::visit(rest);
    v.field({"start",
             "how a new layer begins: as the transpose of the machine below, which leaves the bound as it is "
             "(binary layers at least as large as the one two below; others at random), or at random",
             0,
             0,
             {"transpose", "random"}},
            start);
  }
};

struct DbnLearning : RbmLearning {
  std::string inputs = "samples";
  std::string shares;

  // Of the machine whose hidden units are layer `l`: the last item counts for all above it.
  RbmLearning machine(std::size_t l) const {
    const std::vector<std::string> steps = layer_items(gibbs_steps);
    RbmLearning own = *this;
    own.gibbs_steps = steps[std::min(l, steps.size() - 1)];
    return own;
  }
  void check() const override {
    for (const std::string& item : layer_items(gibbs_steps)) parse_gibbs_steps(item);
    parse_sizes("training.shares", shares);
  }
  void visit(OptionVisitor& v) override {
    FieldsBut rest(v, {"gibbs_steps", "gap_steps"});
    RbmLearning::visit(rest);
    v.field(
        {"gibbs_steps",
         "Gibbs steps an update: K, or A..B to raise it evenly while a layer is trained; an item for each "
         "layer, as in 1..25,5, the last for all above it"},
        gibbs_steps);
    v.field({"inputs",
             "what a layer learns of those below: a draw of their units for each row of each batch, or their "
             "means",
             0,
             0,
             {"samples", "means"}},
            inputs);
    v.field(
        {"shares", "in what proportion the layers share the epochs, whole numbers as in 3,2; empty: evenly"},
        shares);
  }
};

class Dbn;

struct DbnCard {
  using Model = Dbn;
  using ModelOptions = DbnOptions;
  using LearningOptions = DbnLearning;
  static ModelCard card() {
    return {.name = "dbn",
            .title = "Deep belief network, layers of restricted Boltzmann machines",
            .source =
                "Hinton, Osindero, Teh 2006; Bengio, Lamblin, Popovici, Larochelle 2007; Salakhutdinov and "
                "Murray 2008",
            .family = "belief",
            .training = training(),
            .takes = {ColumnKind::binary, ColumnKind::softmax, ColumnKind::count, ColumnKind::gaussian,
                      ColumnKind::mean_field},
            .recipe = "dbn-500-2000",
            .small_cases = small_cases()};
  }
  static TrainingOptions training() {  // Hinton 2010, section 9
    TrainingOptions options;
    options.rate = 0.01, options.momentum = 0.9;
    return options;
  }
  static std::vector<SmallCase> small_cases() {
    const std::string few = "model.layers=6,4", large = "model.weight_scale=0.1";
    const std::vector<ColumnGroup> table = {
        {ColumnKind::binary, 0, 3}, {ColumnKind::softmax, 3, 3}, {ColumnKind::gaussian, 6, 4}};
    return {{.name = "", .settings = {few, large}},
            {.name = "three_layers", .settings = {"model.layers=6,5,4", "model.start=random", large}},
            {.name = "transposed", .settings = {"model.layers=5,12", large}},
            {.name = "softmax", .settings = {few, large, "model.hidden_units=softmax"}},
            {.name = "grey",
             .settings = {few, "model.weight_scale=0.3", "training.inputs=means"},
             .values = ValueKind::grey},
            {.name = "real", .settings = {few, large}, .values = ValueKind::real},
            {.name = "table", .settings = {few, large}, .groups = table}};
  }
};

}  // namespace deepgen
