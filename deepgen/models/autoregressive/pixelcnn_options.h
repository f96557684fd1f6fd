// Options of the gated PixelCNN (pixelcnn.h). Torch-free.
#pragma once

#include "deepgen/model/model_card.h"

namespace deepgen {

struct PixelCnnOptions : Options {
  std::int64_t channels = 16;
  std::int64_t blocks = 8;
  std::int64_t first_kernel = 7;
  std::int64_t kernel = 3;
  std::int64_t head = 32;
  std::string pixels = "auto";
  std::int64_t levels = 256;
  std::int64_t mixture = 5;

  void visit(OptionVisitor& v) override {
    v.field({"channels", "features of a pixel in each of the two stacks", 1, 1024}, channels);
    v.field({"blocks", "gated blocks", 1, 100}, blocks);
    v.field({"first_kernel", "width of the first block's kernel, odd: how far it looks is half of it", 3, 99},
            first_kernel);
    v.field({"kernel", "width of the other blocks' kernels, odd", 3, 31}, kernel);
    v.field({"head", "hidden units between the last block and the outputs", 1, 4096}, head);
    v.field(
        {"pixels",
         "values of a pixel: binary; categorical (a probability for each level) or logistic (a mixture of "
         "discretised logistic densities) for grey ones; auto: binary or logistic by the data",
         0,
         0,
         {"auto", "binary", "categorical", "logistic"}},
        pixels);
    v.field({"levels", "grey levels, evenly from 0 to 1 (bytes: 256)", 2, 65536}, levels);
    v.field({"mixture", "logistic densities of a pixel", 1, 100}, mixture);
  }
};

struct PixelCnnLearning : Options {
  double dropout = 0;

  void visit(OptionVisitor& v) override {
    v.field({"dropout", "share of the gated features set to zero at each presentation", 0, 0.95}, dropout);
  }
};

class PixelCnn;

struct PixelCnnCard {
  using Model = PixelCnn;
  using ModelOptions = PixelCnnOptions;
  using LearningOptions = PixelCnnLearning;
  static ModelCard card() {
    return {.name = "pixelcnn",
            .title = "Gated PixelCNN: each pixel given those before it, by masked convolutions",
            .source = "van den Oord, Kalchbrenner, Kavukcuoglu 2016; van den Oord and others 2016",
            .family = "autoregressive",
            .training = adam_training(2e-3),
            .takes = {ColumnKind::binary, ColumnKind::mean_field},
            .recipe = "pixelcnn",
            .small_cases = small_cases()};
  }
  // Of bits and of the 256 grey levels.
  static std::vector<SmallCase> small_cases() {
    return {{.name = "", .settings = {"model.blocks=3", "model.channels=4"}},
            {.name = "grey",
             .settings = {"model.blocks=3", "model.channels=4", "model.mixture=2"},
             .values = ValueKind::grey}};
  }
};

class ConditionalPixelCnn;

struct ConditionalPixelCnnCard {
  using Model = ConditionalPixelCnn;
  using ModelOptions = PixelCnnOptions;
  using LearningOptions = PixelCnnLearning;
  static ModelCard card() {
    return {.name = "conditional_pixelcnn",
            .title = "Gated PixelCNN of pictures given their label",
            .source = "van den Oord and others 2016, Conditional image generation with PixelCNN decoders",
            .family = "autoregressive",
            .training = adam_training(2e-3),
            .takes = {ColumnKind::binary, ColumnKind::mean_field},
            .needs_labels = true,
            .recipe = "conditional-pixelcnn",
            .small_cases = PixelCnnCard::small_cases()};
  }
};

}  // namespace deepgen
