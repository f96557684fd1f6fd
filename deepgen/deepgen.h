// The library on one page.
//
//   #include "deepgen/deepgen.h"
//   using namespace deepgen;
//
//   Dataset data = load_dataset("glyphs:binarize=threshold");              // data
//   Settings settings("rbm");                                              // model and training options
//   settings.set(std::string("model.hidden=100"));
//   auto model = make_model(settings, data);
//   Trainer trainer(model, data, std::move(settings), 1);                  // seed 1
//   Observer silent;
//   trainer.run(silent);
//   Rng rng(2);
//   Tensor samples = sample_model(*model, {.count = 100}, rng, silent);    // [100, 784] of 0 and 1
//   for (const Score& score : evaluate_model(*model, data, "test", {}, rng, silent))
//     std::puts(score_line(score).c_str());                                // each with its kind and error
//
// Build against libdeepgen (CMake target deepgen_library). Call set_threads(n) and at::set_num_threads(n)
// first where the default is not wanted. Everything that can fail throws deepgen::Error; nothing prints and
// nothing exits.
#pragma once

#include "deepgen/core/error.h"           // Error and its kinds
#include "deepgen/core/observer.h"        // progress, metrics, messages, pictures
#include "deepgen/core/options.h"         // options by visitor
#include "deepgen/core/rng.h"             // counter-based randomness
#include "deepgen/data/dataset.h"         // load_dataset, Split, batches
#include "deepgen/evaluate/annealing.h"   // log Z from both sides
#include "deepgen/evaluate/features.h"    // feature_scores: how useful encode is
#include "deepgen/evaluate/likelihood.h"  // evaluate_model, log_prob_rows, validation_score
#include "deepgen/evaluate/score.h"       // numbers that carry their kind
#include "deepgen/kernels/kernels.h"      // set_threads, use_kernels
#include "deepgen/models/capabilities.h"  // what a model can do: as<HasFreeEnergy>(model)
#include "deepgen/models/registry.h"      // make_model
#include "deepgen/tasks/tasks.h"          // sample, complete, encode, reconstruct
#include "deepgen/train/checkpoint.h"     // save, load
#include "deepgen/train/run_folder.h"     // a run's folder and its report
#include "deepgen/train/trainer.h"        // the one loop
