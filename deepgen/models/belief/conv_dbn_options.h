// Options of the convolutional deep belief network (conv_dbn.h): those of its machines, and how they are stacked.
// Torch-free.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "deepgen/models/belief/dbn_options.h"
#include "deepgen/models/boltzmann/conv_rbm_options.h"
#include "deepgen/parts/nets/sizes.h"

namespace deepgen {

struct ConvDbnOptions : ConvRbmOptions {
  std::string layers = "40,40", filter_sizes = "11,6", pool_sizes = "2,2";

  std::vector<std::int64_t> sizes() const { return parse_sizes("model.layers", layers); }
  // Of the machine whose pooling units are layer `l`, from 0.
  ConvRbmOptions machine(std::size_t l, bool means) const {
    ConvRbmOptions options = *this;
    options.filters = sizes().at(l);
    options.filter = parse_sizes("model.filter_sizes", filter_sizes).at(l);
    options.pooling = parse_sizes("model.pool_sizes", pool_sizes).at(l);
    options.filter_option = "model.filter_sizes", options.pooling_option = "model.pool_sizes";
    if (l > 0) options.visible_units = means ? "expected_bits" : "auto";
    return options;
  }
  void check() const override {
    const std::size_t count = sizes().size();
    if (count == 0) fail_usage("model.layers", "expected the filters of at least one layer, as in 40,40");
    parse_sizes("model.filter_sizes", filter_sizes), parse_sizes("model.pool_sizes", pool_sizes);
  }
  // Options are set one by one, so what must hold of several is asked when all are.
  void check_layers() const {
    const std::size_t count = sizes().size();
    refuse_others("model.filter_sizes", parse_sizes("model.filter_sizes", filter_sizes).size(), count);
    refuse_others("model.pool_sizes", parse_sizes("model.pool_sizes", pool_sizes).size(), count);
  }
  void visit(OptionVisitor& v) override {
    v.field({"layers", "filters of each layer, from the data up"}, layers);
    v.field(
        {"filter_sizes", "height and width of each layer's filters, on the pooling units of the layer below"},
        filter_sizes);
    v.field({"pool_sizes", "height and width of each layer's blocks; must divide its maps. 1: no pooling"},
            pool_sizes);
    FieldsBut rest(v, {"filters", "filter", "pooling"});
    ConvRbmOptions::visit(rest);
  }

 private:
  static void refuse_others(const std::string& option, std::size_t items, std::size_t layers) {
    if (items != layers)
      fail_usage(option, "expected " + std::to_string(layers) +
                             " numbers, one for each layer of model.layers, got " + std::to_string(items));
  }
};

struct ConvDbnLearning : ConvRbmLearning {
  std::string inputs = "means";
  std::string shares;

  void check() const override { parse_sizes("training.shares", shares); }
  void visit(OptionVisitor& v) override {
    FieldsBut rest(v, {"gap_steps"});
    ConvRbmLearning::visit(rest);
    v.field(
        {"inputs",
         "what a layer learns of those below: a draw of their pooling units for each row of each batch, or "
         "the units' probabilities",
         0,
         0,
         {"samples", "means"}},
        inputs);
    v.field(
        {"shares", "in what proportion the layers share the epochs, whole numbers as in 3,2; empty: evenly"},
        shares);
  }
};

class ConvDbn;

struct ConvDbnCard {
  using Model = ConvDbn;
  using ModelOptions = ConvDbnOptions;
  using LearningOptions = ConvDbnLearning;
  static ModelCard card() {
    return {.name = "conv_dbn",
            .title = "Convolutional deep belief network, layers of machines with probabilistic max pooling",
            .source = "Lee, Grosse, Ranganath, Ng 2009",
            .family = "belief",
            .training = adam_training(),
            .takes = {ColumnKind::binary, ColumnKind::gaussian, ColumnKind::mean_field},
            .recipe = "conv-dbn",
            .small_cases = small_cases()};
  }
  static std::vector<SmallCase> small_cases() {
    const std::string large = "model.weight_scale=0.1", draws = "training.inputs=samples",
                      cd = "training.learning=cd";
    const std::vector<std::string> few = {"model.layers=3,2", "model.filter_sizes=3,1",
                                          "model.pool_sizes=2,1", large, cd};
    return {
        {.name = "", .settings = few, .pictures = true},
        {.name = "line",
         .settings = {"model.layers=3,2", "model.filter_sizes=5,3", "model.pool_sizes=2,1", large, draws,
                      cd}},
        {.name = "three_layers",
         .settings = {"model.layers=3,3,2", "model.filter_sizes=5,2,1", "model.pool_sizes=2,2,1", large}},
        {.name = "unpooled",
         .settings = {"model.layers=2,2", "model.filter_sizes=3,2", "model.pool_sizes=1,1", large, draws, cd},
         .pictures = true},
        {.name = "grey", .settings = few, .values = ValueKind::grey, .pictures = true},
        {.name = "real", .settings = few, .values = ValueKind::real, .pictures = true}};
  }
};

}  // namespace deepgen
