// The library on one page: what the command does, as functions.
//
//   #include "deepgen/deepgen.h"
//   using namespace deepgen;
//
//   Dataset data = load_dataset("glyphs:binarize=threshold");              // data, or dataset_of(rows)
//   Settings settings("rbm");                                              // model and training options
//   settings.set("model.hidden=100");
//   auto model = make_model(settings, data);
//   Trainer trainer(model, data, std::move(settings), 1);                  // seed 1
//   Observer silent;
//   trainer.run(silent);
//   Rng rng(2);
//   Tensor samples = sample_model(*model, {.count = 100}, rng, silent);    // [100, 784] of 0 and 1
//   for (const Score& score : evaluate_model(*model, data, "test", {}, rng, silent))
//     std::puts(score_line(score).c_str());                                // each with its kind and error
//
// and with runs, as the command keeps them:
//
//   TrainingPlan plan("rbm", "glyphs:binarize=threshold");
//   train_into(RunFolder::create("runs/first", false, true), plan, false, load_dataset(plan.data), silent);
//   OpenRun run = open_run("runs/first");                                  // the weights to use
//   Dataset rows = load_data_for(run, "rows.npy");                         // read as in training
//   RowScores scores = row_scores(*run.model, rows, rows.train, {}, Rng(1), silent);  // nats a row
//
// Installed, it is found by find_package(deepgen) (target deepgen::deepgen) or pkg-config (deepgen).
// examples/ holds whole programs. Everything that can fail throws deepgen::Error, whose kind says whose fault
// it is (usage, data, numerical, interrupted, bug); nothing prints and nothing exits. Log-probabilities are
// in nats.
//
// What the command does for its process, a program does at its start: set_threads(n) and
// at::set_num_threads(n) with n = look_at_machine().granted(), and keep_heap(), so that no step takes memory
// from the system. The threads of torch's own operations should soon sleep when they wait: GOMP_SPINCOUNT=1000
// in the program's environment. From its first product on deepgen shares products out itself and has OpenBLAS
// use one thread (openblas_set_num_threads), also for products of the program's own.
#pragma once

#include "deepgen/core/error.h"               // Error and its kinds
#include "deepgen/core/machine.h"             // what the machine grants; keep_heap
#include "deepgen/core/observer.h"            // progress, metrics, messages, pictures
#include "deepgen/core/options.h"             // options by visitor
#include "deepgen/core/rng.h"                 // counter-based randomness
#include "deepgen/data/dataset.h"             // load_dataset, Split, Rows
#include "deepgen/data/memory.h"              // dataset_of: rows in memory as a data set
#include "deepgen/evaluate/bracket.h"         // log Z from both sides
#include "deepgen/evaluate/classification.h"  // classification_scores: error rate, log-loss, calibration
#include "deepgen/evaluate/features.h"        // feature_scores: how useful encode is
#include "deepgen/evaluate/likelihood.h"      // evaluate_model
#include "deepgen/evaluate/row_scores.h"      // row_scores: one number a row, and what it proves
#include "deepgen/evaluate/sample_tests.h"    // sample_scores: tests on samples
#include "deepgen/evaluate/score.h"           // numbers that carry their kind
#include "deepgen/evaluate/validation.h"      // validation_score: what early stopping goes by
#include "deepgen/kernels/kernels.h"          // set_threads, use_kernels
#include "deepgen/model/capabilities.h"       // what a model can do: as<HasFreeEnergy>(model)
#include "deepgen/model/registry.h"           // make_model
#include "deepgen/runs/evaluate_run.h"        // the record of an evaluation
#include "deepgen/runs/open_run.h"            // open_run, load_data_for
#include "deepgen/runs/run_folder.h"          // a run's folder and its report
#include "deepgen/runs/search.h"              // search_settings: settings chosen on validation rows
#include "deepgen/runs/train_into.h"          // train_into: training into a run's folder
#include "deepgen/runs/write_cases.h"         // rows into .npy, .csv, .png
#include "deepgen/tasks/tasks.h"              // sample, complete, encode, reconstruct, classify
#include "deepgen/train/checkpoint.h"         // save, load
#include "deepgen/train/trainer.h"            // the one loop
