// Options of the restricted Boltzmann machine (rbm.h). Torch-free, so that usage errors answer at once.
#pragma once

#include <charconv>
#include <string_view>

#include "deepgen/core/error.h"
#include "deepgen/core/options.h"
#include "deepgen/model/model_card.h"
#include "deepgen/parts/units/unit_kind.h"

namespace deepgen {

// Gibbs steps an update at the beginning and at the end of training; automatic: from `first` to at most `last`, by
// what the chains remember.
struct GibbsRange {
  std::int64_t first = 1, last = 1;
  bool automatic = false;
};
inline constexpr std::int64_t most_automatic_steps = 25;

// "K", "A..B" with A <= B, "auto" or "auto..K"; anything else is a usage error.
inline GibbsRange parse_gibbs_steps(const std::string& text) {
  auto number = [&](std::string_view part) {
    std::int64_t value = 0;
    const auto [end, code] = std::from_chars(part.data(), part.data() + part.size(), value);
    const bool whole = code == std::errc() && end == part.data() + part.size();
    if (!whole || value < 1 || value > 100000)
      fail_usage("training.gibbs_steps",
                 "expected K, A..B, auto or auto..K with numbers from 1 to 100000, got '" + text + "'");
    return value;
  };
  const std::string_view view = text;
  if (view == "auto") return {1, most_automatic_steps, true};
  if (view.starts_with("auto..")) return {1, number(view.substr(6)), true};
  const auto dots = view.find("..");
  if (dots == std::string_view::npos) return {number(view), number(view)};
  const GibbsRange range{number(view.substr(0, dots)), number(view.substr(dots + 2))};
  if (range.first > range.last)
    fail_usage("training.gibbs_steps", "expected A..B with A at most B, got '" + text + "'");
  return range;
}

struct RbmOptions : Options {
  std::int64_t hidden = 500;
  std::string visible_units = "auto", hidden_units = "binary";
  std::int64_t group = 2, copies = 10;
  std::string variance = "learned";
  double smallest_deviation = 0.05;
  double weight_scale = 0.01;

  void check() const override {
    if (visible_units == "count" &&
        growth_of(unit_kind(hidden_units, "model.hidden_units")) != Growth::linear)
      fail_usage("model.hidden_units",
                 "log Z is infinite for count units with " + hidden_units +
                     " hidden units, whatever the weights; choose binary, softmax, mean_field or stepped");
  }
  void visit(OptionVisitor& v) override {
    v.field({"hidden", "hidden units; at most 25 binary ones make every likelihood exact", 1, 1e6}, hidden);
    std::vector<std::string> kinds = unit_kind_names();
    kinds.insert(kinds.begin(), "auto");
    v.field(
        {"visible_units",
         "kind of the visible units; auto goes by the data: binary, mean_field for grey values in [0, 1], "
         "gaussian for reals, and for a table of mixed kinds each column its own",
         0, 0, kinds},
        visible_units);
    v.field({"hidden_units",
             "kind of the hidden units",
             0,
             0,
             {"binary", "softmax", "mean_field", "stepped", "rectified", "gaussian"}},
            hidden_units);
    v.field({"group", "columns of a softmax group, where the data do not say", 2, 1e6}, group);
    v.field({"copies", "binary copies that make a stepped unit", 1, 1000}, copies);
    v.field({"variance",
             "variance of Gaussian visible units: learned column by column, or fixed at the mean variance of "
             "the columns",
             0,
             0,
             {"learned", "fixed"}},
            variance);
    v.field({"smallest_deviation",
             "floor of the learned standard deviations, as a share of each column's own deviation", 1e-4, 1},
            smallest_deviation);
    v.field({"weight_scale", "standard deviation of the initial weights", 0, 10}, weight_scale);
  }
};

struct RbmLearning : Options {
  std::string learning = "pcd";
  std::string gibbs_steps = "1";
  double gibbs_memory = 0.5;
  std::int64_t chains = 100;
  std::int64_t temperatures = 10;
  double fast_rate = 0.01;
  std::int64_t snapshots = 6;
  double swap_target = 0.3;
  bool centring = true;
  double offset_rate = 0.01;
  double sparsity = 0;
  double sparsity_cost = 0.01;
  std::int64_t gap_steps = 5;

  void check() const override {
    if (parse_gibbs_steps(gibbs_steps).automatic && learning != "cd" && learning != "pcd")
      fail_usage("training.gibbs_steps", "auto goes by the chains of learning=cd or pcd, got learning=" +
                                             learning + "; give a number of steps");
  }
  void visit(OptionVisitor& v) override {
    v.field(
        {"learning",
         "where the model's statistics come from: cd (chains restart at the data), pcd (chains persist), "
         "fpcd (persistent chains driven on by fast weights), pt (persistent chains at several temperatures "
         "that swap states: parallel tempering), trajectory (the same between the machine and earlier states "
         "of its training), exact (enumeration; small machines only); or what is learned in place of the "
         "likelihood: ratio_matching (binary columns, at most 1000), score_matching (Gaussian columns)",
         0,
         0,
         {"cd", "pcd", "fpcd", "pt", "trajectory", "exact", "ratio_matching", "score_matching"}},
        learning);
    v.field(
        {"gibbs_steps",
         "Gibbs steps an update: K, A..B to raise it evenly over the run, or auto (at most 25; auto..K: at "
         "most K) to begin with one and take more when the chains remember more than gibbs_memory (cd, pcd)"},
        gibbs_steps);
    v.field(
        {"gibbs_memory",
         "share of the differences between chains that may survive the Gibbs steps of an update, an estimate "
         "of the share of the gradient that they miss (gibbs_steps=auto)",
         0.01, 1},
        gibbs_memory);
    v.field({"chains", "persistent chains (pcd, fpcd; pt: at each temperature; trajectory: at each state)", 1,
             1e6},
            chains);
    v.field({"temperatures", "inverse temperatures from 0 to 1 (pt)", 2, 1000}, temperatures);
    v.field(
        {"fast_rate",
         "learning rate of the fast weights, which fade by a twentieth an update; 0 is pcd (fpcd)", 0, 1e3},
        fast_rate);
    v.field(
        {"snapshots", "earlier states of the machine that swap with it and each other (trajectory)", 1, 100},
        snapshots);
    v.field(
        {"swap_target",
         "share of accepted swaps below which the machine itself becomes the newest of the earlier states "
         "(trajectory)",
         0, 1},
        swap_target);
    v.field({"centring", "subtract moving averages from the units in the gradient; the energy stays plain"},
            centring);
    v.field({"offset_rate", "how fast the offsets of centring follow the units' means", 0, 1}, offset_rate);
    v.field({"sparsity", "wanted mean activity of a hidden unit; 0 wants nothing", 0, 1}, sparsity);
    v.field({"sparsity_cost", "weight of the sparsity target in the gradient", 0, 1e3}, sparsity_cost);
    v.field({"gap_steps", "Gibbs steps that fill the missing cells of a batch before its update", 1, 1e5},
            gap_steps);
  }
};

class Rbm;

struct RbmCard {
  using Model = Rbm;
  using ModelOptions = RbmOptions;
  using LearningOptions = RbmLearning;
  static ModelCard card() {
    const std::string few = "model.hidden=4";
    const std::vector<ColumnGroup> table = {{ColumnKind::binary, 0, 2},
                                            {ColumnKind::softmax, 2, 3},
                                            {ColumnKind::gaussian, 5, 2},
                                            {ColumnKind::count, 7, 1},
                                            {ColumnKind::mean_field, 8, 1}};
    return {
        .name = "rbm",
        .title = "Restricted Boltzmann machine, units of any kind",
        .source =
            "Smolensky 1986; Hinton 2002; Welling, Rosen-Zvi, Hinton 2005; Hyvarinen 2005, 2007; Tieleman "
            "2008; Tieleman and Hinton 2009; Nair and Hinton 2010; Melchior, Fischer, Wiskott 2016",
        .family = "boltzmann",
        .training = {},
        .takes = {ColumnKind::binary, ColumnKind::softmax, ColumnKind::count, ColumnKind::gaussian,
                  ColumnKind::mean_field},
        .recipe = "rbm-16-centred",
        .small_cases = {{.name = "", .settings = {few}},
                        {.name = "softmax", .settings = {few, "model.hidden_units=softmax"}},
                        {.name = "fast_weights", .settings = {few, "training.learning=fpcd"}},
                        {.name = "trajectory", .settings = {few, "training.learning=trajectory"}},
                        {.name = "ratio_matching", .settings = {few, "training.learning=ratio_matching"}},
                        {.name = "grey", .settings = {few}, .values = ValueKind::grey},
                        {.name = "real", .settings = {few}, .values = ValueKind::real},
                        {.name = "score_matching",
                         .settings = {few, "training.learning=score_matching"},
                         .values = ValueKind::real},
                        {.name = "table", .settings = {few}, .groups = table}}};
  }
};

}  // namespace deepgen
