#include "deepgen/cli/command_line.h"

#include <fmt/format.h>

#include <charconv>
#include <limits>

#include "deepgen/core/error.h"
#include "deepgen/core/version.h"

namespace deepgen {
namespace {

const char* const overview =
    "Deep generative models: learn a distribution, sample from it, score it, complete missing parts.\n\n"
    "  deepgen train rbm --data glyphs:binarize=threshold --out runs/first\n"
    "  deepgen evaluate runs/first --data glyphs:binarize=threshold\n"
    "  deepgen sample runs/first -n 100 --out digits.png\n\n"
    "A SPEC names data: a known or generated set or a file, with options (`deepgen data list`):\n"
    "  mnist:binarize=dynamic   glyphs:binarize=threshold   table.csv:valid=0.1   images.npz\n";

// A whole number from 0 to 2^63 - 1.
std::uint64_t parse_seed(const std::string& text) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, value);
  if (code != std::errc() || stop != end || value < 0)
    fail_usage("--seed", fmt::format("expected a whole number from 0 to {}, got '{}'",
                                     std::numeric_limits<std::int64_t>::max(), text));
  return static_cast<std::uint64_t>(value);
}

}  // namespace

CommandLine::CommandLine(Arguments& arguments) : a_(arguments), app_(overview, "deepgen") {
  app_.set_version_flag("--version", fmt::format("deepgen {} ({})", program_version(), program_commit()));
  app_.require_subcommand(0, 1);
  app_.get_formatter()->column_width(34);
  training(), reproducing(), searching();
  sampling(), scoring(), evaluating(), completing(), coding(), judging(), studying();
  models(), data();
}

CLI::App* CommandLine::verb(const std::string& name, const std::string& help) {
  CLI::App* sub = app_.add_subcommand(name, help);
  const auto take_seed = [this](const std::string& text) {
    a_.seed = parse_seed(text);
    a_.seed_given = true;
  };
  sub->add_option_function<std::string>("--seed", take_seed, "seed of every random draw")
      ->type_name("UINT")
      ->default_str("1");
  sub->add_option("--threads", a_.threads, "threads; as many as the machine grants when not given")
      ->check(CLI::Range(1, 1024));
  sub->add_flag("--quiet", a_.quiet, "no progress on stderr");
  return sub;
}

CLI::App* CommandLine::verb_of_run(const std::string& name, const std::string& help) {
  CLI::App* sub = verb(name, help);
  sub->add_option("RUN", a_.subject, "folder of a run, or a .safetensors file")->required();
  sub->add_option("--device", a_.device, "cpu or cuda")->default_val("cpu");
  return sub;
}

void CommandLine::data_option(CLI::App* sub) {
  sub->add_option("--data", a_.data, "SPEC of the data")->required();
  sub->add_option("--split", a_.split,
                  "train, valid or test; a file with one matrix has all its rows in each")
      ->default_val("test");
}

void CommandLine::out_option(CLI::App* sub, const std::string& help) {
  sub->add_option("--out", a_.out, help)->required();
}

void CommandLine::annealing_options(CLI::App* sub) {
  sub->add_option("--ais", a_.ais,
                  "annealing schedule: quick, standard, salakhutdinov_murray, linear-K, or adaptive or "
                  "adaptive-K: K temperatures where a pilot run of this model shows that they are needed")
      ->default_val("standard");
  sub->add_option("--chains", a_.chains, "annealing chains in each direction")
      ->default_val(100)
      ->check(CLI::Range(2, 100000));
  sub->add_option("--samples", a_.samples,
                  "draws of the latent variables of each row, for models with a bound; more are closer to "
                  "the truth")
      ->default_val(100)
      ->check(CLI::Range(1, 1000000));
}

// ---------------------------------------------------------------- from data to a run

void CommandLine::training() {
  CLI::App* sub = verb("train", "learn a model from data");
  sub->add_option(
         "MODEL", a_.subject,
         "a model (`deepgen models`), a recipe (recipes/*.toml), or auto: the best of a few models of "
         "a table")
      ->required();
  sub->add_option("--data", a_.data, "SPEC of the data; a recipe brings its own");
  out_option(sub, "folder of the run: checkpoint, metrics, pictures, report.html");
  sub->add_option("--budget", budget, "stop training after this time (90s, 20m, 1.5h); auto: all of it, 5m");
  sub->add_option("--choose", a_.choose,
                  "auto: by likelihood, or gaps: how well hidden cells of the validation rows are filled; "
                  "unless said: gaps where the table has any")
      ->type_name("likelihood|gaps");
  sub->add_option("--set", a_.settings,
                  "model.<option>=value or training.<option>=value; `deepgen models NAME` lists them")
      ->allow_extra_args(true);
  sub->add_option("--device", a_.device, "cpu or cuda")->default_val("cpu");
  sub->add_option(
         "--start", a_.starts,
         "weights to start from, in place of new ones: RUN gives all that its model has in common with "
         "this one, RUN:encoder the part of that name, RUN:layers.0=rbm its rbm as our layers.0, "
         "RUN:layers.0= its whole model; may be given several times. With --resume it counts where there is "
         "nothing to go on from yet")
      ->type_name("RUN[:part]")
      ->allow_extra_args(true);
  sub->add_flag("--resume", a_.resume,
                "go on from the run's checkpoint; the result is that of an uninterrupted run");
  sub->add_flag("--overwrite", a_.overwrite, "replace an earlier run in that folder");
}

void CommandLine::reproducing() {
  CLI::App* sub = verb("reproduce", "train a recipe and set its published number beside ours");
  sub->add_option("RECIPE", a_.subject, "name or path of a recipe");
  sub->add_flag("--markdown", a_.markdown, "print docs/results.md from what is recorded");
  sub->add_option("--budget", budget, "stop training after this time (90s, 20m, 1.5h)");
  sub->add_option("--out", a_.out, "folder of the run (default runs/RECIPE)");
  sub->add_option("--results", a_.results, "folder where the result is recorded (default docs/results)");
  sub->add_flag("--json", a_.json, "print one JSON object");
  sub->add_flag("--resume", a_.resume, "go on from the run's checkpoint");
  sub->add_flag("--overwrite", a_.overwrite, "replace an earlier run in that folder");
}

void CommandLine::searching() {
  CLI::App* sub = verb("search", "try settings, choose on the validation rows, train the best anew");
  sub->add_option("MODEL", a_.subject, "a model (`deepgen models`) or a recipe (recipes/*.toml)")->required();
  sub->add_option("--data", a_.data, "SPEC of the data; a recipe brings its own");
  out_option(sub, "folder of the search: search.json, report.html, trials, best");
  sub->add_option("--budget", budget, "time for all of it (90s, 20m, 1.5h)");
  sub->add_option("--trials", a_.trials, "combinations to try; 16, or what the budget allows, when not given")
      ->check(CLI::Range(1, 1000));
  sub->add_option("--set", a_.settings,
                  "settings of every trial: model.<option>=value or training.<option>=value")
      ->allow_extra_args(true);
  sub->add_option("--try", a_.tries, "values to choose from, as in training.rate=0.1|0.03|0.01")
      ->allow_extra_args(true);
  sub->add_flag("--all-rows", a_.all_rows, "train the best on the validation rows too, without patience");
  sub->add_flag("--resume", a_.resume, "go on where the search was interrupted");
  sub->add_flag("--json", a_.json, "print search.json on stdout");
}

// ---------------------------------------------------------------- what is done with a run

void CommandLine::sampling() {
  CLI::App* sub = verb_of_run("sample", "draw from a model");
  sub->add_option("-n", a_.count, "how many")->default_val(100)->check(CLI::Range(1, 10000000));
  out_option(sub,
             "FILE.png (a grid of images), .npy or .csv; of sequences also .svg (columns over time), of bits "
             ".mid (music)");
  sub->add_option("--given", a_.given,
                  "condition, as in y=3; models that need one draw the classes in turn without it");
  sub->add_option("--steps", a_.steps, "Gibbs steps before the first sample (models with chains)")
      ->default_val(1000)
      ->check(CLI::Range(0, 10000000));
  sub->add_option("--rows", a_.rows,
                  "follow the chains: this many samples of each; with --begin: rows of each sequence that "
                  "are given")
      ->default_val(1)
      ->check(CLI::Range(1, 100000));
  sub->add_option("--between", a_.between, "Gibbs steps between two samples of a chain")
      ->default_val(1000)
      ->check(CLI::Range(1, 10000000));
  sub->add_flag("--extrapolate", a_.extrapolate,
                "numbers of a table may leave the range of the training rows; their step and decimals stay. "
                "Numbers in bins (numbers=bins) stay within their bins by nature");
  CLI::Option* length = sub->add_option("--length", a_.length, "models of sequences: rows to draw of each")
                            ->check(CLI::Range(1, 1000000));
  CLI::Option* begin =
      sub->add_option("--begin", a_.begin,
                      "SPEC of sequences to go on from: the first --rows rows of each, -n of them at most")
          ->needs(length);
  sub->add_option("--split", a_.split, "of --begin: train, valid or test")->default_val("test")->needs(begin);
  sub->add_option("--frame-seconds", a_.frame_seconds, "how long a row lasts in a .mid")
      ->default_val(0.5)
      ->check(CLI::Range(0.001, 16.0));
  sub->add_option("--columns", a_.columns, "images in a row of the grid; 0: as square as possible")
      ->default_val(0)
      ->check(CLI::Range(0, 100000));
}

void CommandLine::scoring() {
  CLI::App* sub = verb_of_run("score", "log-probability (or bound, or estimate) of every row");
  data_option(sub), out_option(sub, "FILE.npy or .csv, one number a row"), annealing_options(sub);
}

void CommandLine::evaluating() {
  CLI::App* sub = verb_of_run("evaluate", "what can honestly be said of a model on data");
  data_option(sub), annealing_options(sub);
  sub->add_flag("--json", a_.json, "print one JSON object on stdout");
  sub->add_option("--orders", a_.orders,
                  "members of an ensemble over orders of the variables, for models that have many")
      ->default_val(1)
      ->check(CLI::Range(1, 100000));
  CLI::Option* features =
      sub->add_flag("--features", a_.features,
                    "also how well plain classifiers tell the classes from the code, and from the raw "
                    "input beside it");
  sub->add_option("--feature-rows", a_.feature_rows, "training rows of these classifiers at most")
      ->default_val(10000)
      ->check(CLI::Range(10, 10000000))
      ->needs(features);
  sub->add_flag("--sample-tests", a_.sample_tests,
                "also tests on samples: Parzen windows with controls, two-sample tests, neighbours among "
                "the training rows; always on for models without a likelihood");
}

void CommandLine::completing() {
  CLI::App* sub = verb_of_run("complete", "fill missing cells (NaN, or empty in CSV)");
  data_option(sub), out_option(sub, "FILE.npy, .csv or .png");
  sub->add_option("-n", a_.limit, "at most this many rows; all when not given")
      ->check(CLI::Range(std::int64_t{1}, std::numeric_limits<std::int64_t>::max()));
  sub->add_option(
      "--hide", a_.hide,
      "forget cells first, to see what the model makes of them: the bottom, top, left or right half "
      "of each picture, or a share of all cells, as in 0.2; a .png then shows truth, what is left, "
      "completion");
  sub->add_option("--steps", a_.steps, "Gibbs steps of each completion (models with chains)")
      ->default_val(1000)
      ->check(CLI::Range(1, 10000000));
  sub->add_option("--draws", a_.draws,
                  "independent completions of each row; written is the mean of the draws of a cell (a count "
                  "rounded), or the most frequent value of a binary or categorical one")
      ->default_val(1)
      ->check(CLI::Range(1, 100000));
  sub->add_option("--spread", a_.spread,
                  "FILE.csv or .npy: how unsure each completed cell is, from the draws: their standard "
                  "deviation, or 1 - share of the most frequent value (binary, categorical); empty (NaN) for "
                  "known cells");
}

void CommandLine::coding() {
  CLI::App* encode = verb_of_run("encode", "features of every row");
  data_option(encode), out_option(encode, "FILE.npy or .csv");
  CLI::App* reconstruct = verb_of_run("reconstruct", "rows after encoding and decoding");
  data_option(reconstruct), out_option(reconstruct, "FILE.npy, .csv or .png");
  CLI::App* classify = verb_of_run("classify", "probability of each class given a row");
  classify->footer(
      "For models that know labels beside the cells of a row (`deepgen models` says which can classify): "
      "the\n"
      "file has p(y | x) for every class y. Labels of the data are not used, only written beside the "
      "answer.\n"
      "How often the answer is right, and whether its probabilities can be trusted, `deepgen evaluate` "
      "says.\n\n"
      "  deepgen train naive_bayes --data letters.csv:labels=letter --out runs/letters\n"
      "  deepgen classify runs/letters --data new.csv --out classes.csv\n");
  data_option(classify);
  out_option(
      classify,
      "FILE.csv or .npy, one line a row: the probability of each class (p_0, p_1, ... or p_<name>), the "
      "most probable class (class) and, where the data have labels, the label (label)");
}

void CommandLine::judging() {
  CLI::App* sub = verb("quality", "how like real rows synthetic ones are, and whether they are copies");
  sub->add_option("RUN|FILE", a_.subject, "a run, which is sampled, or a SPEC of synthetic rows")->required();
  sub->add_option("--real", a_.real, "SPEC of the rows that were learnt from")->required();
  sub->add_option("--test", a_.test,
                  "SPEC of rows held out from them; without it those of --real FILE:test=0.2");
  sub->add_option(
      "--target", a_.target,
      "column that classifiers learn to predict from synthetic and from real rows; the last category "
      "when not given");
  sub->add_option("-n", a_.limit,
                  "so many synthetic rows: sampled, as many as were learnt from when not given; of "
                  "a file at most so many")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{10000000}));
  sub->add_option("--steps", a_.steps, "Gibbs steps before a sample (models with chains)")
      ->default_val(1000)
      ->check(CLI::Range(0, 10000000));
  sub->add_option(
         "--gaps", a_.gaps,
         "share of the cells of held-out rows that the run is to fill; 0.2 when not given and the run can, "
         "0: none")
      ->check(CLI::Range(0.0, 1.0));
  sub->add_option("--draws", a_.gap_draws, "fillings of each of these cells; 50 when not given")
      ->check(CLI::Range(2, 10000));
  sub->add_option(
      "--out", a_.out,
      "FILE.html: histograms and pair trends; when not given quality.html, of a run in its folder");
  sub->add_flag("--json", a_.json, "print one JSON object on stdout");
  sub->footer(
      "Column shapes, pair trends, detection by classifiers, usefulness for prediction, distance to the "
      "closest\n"
      "record and copies, beside held-out rows and independent columns; and of a run, how it fills gaps\n"
      "(docs/quality.md).\n\n"
      "  deepgen quality runs/census --real census.csv:test=0.1\n"
      "  deepgen quality synthetic.csv --real train.csv --test test.csv --target income --json\n");
}

void CommandLine::studying() {
  CLI::App* sub = verb("study", "what a learning rule leaves out; what learning without labels is worth");
  CdBiasPlan& plan = a_.cd_bias;
  LabelEfficiencyPlan& labels = a_.label_efficiency;
  sub->add_option(
         "STUDY", a_.subject,
         "cd-bias: the gradient of contrastive divergence beside the likelihood's, exactly, on small "
         "machines; label-efficiency: a classifier that begins with the weights of a RUN beside one that "
         "begins at random, by the number of labels")
      ->required();
  sub->add_option("RUN", labels.machine,
                  "label-efficiency: of an rbm, dbn or dbm that learnt without labels");
  sub->add_option("--data", labels.data,
                  "label-efficiency: SPEC with labels; that of the run when not given");
  sub->add_option("--labels", labels.labels,
                  "label-efficiency: numbers of labelled rows; 100,1000,10000,all when not given")
      ->delimiter(',')
      ->allow_extra_args(false);
  sub->add_option("--draws", labels.draws, "label-efficiency: of the labelled rows and of random weights")
      ->default_val(labels.draws)
      ->check(CLI::Range(1, 1000));
  sub->add_option("--set", labels.settings, "label-efficiency: training.<option>=value of the classifiers");
  sub->add_option("--visible", plan.visible, "visible units, at most 10")->default_val(plan.visible);
  sub->add_option("--hidden", plan.hidden, "hidden units, at most 10")->default_val(plan.hidden);
  sub->add_option("--scales", plan.scales, "standard deviations of the weights; 0.25,0.5,1,2 when not given")
      ->delimiter(',')
      ->allow_extra_args(false);
  sub->add_option("--steps", plan.steps, "numbers k of Gibbs steps; 1,2,5,10,25 when not given")
      ->delimiter(',')
      ->allow_extra_args(false);
  sub->add_option("--machines", plan.machines, "random machines whose figures are averaged")
      ->default_val(plan.machines)
      ->check(CLI::Range(1, 100000));
  sub->add_option(
      "--out", a_.out,
      "FILE.html: charts and table; cd-bias also FILE.svg: the chart of the "
      "relative error; label-efficiency a FOLDER: the runs, and the table as index.html and table.json");
  sub->add_flag("--json", a_.json, "print one JSON object on stdout");
  sub->footer(
      "docs/boltzmann.md says what the columns mean.\n\n"
      "  deepgen study cd-bias --out cd-bias.html\n"
      "  deepgen study label-efficiency runs/dbn --data mnist:binarize=none --out runs/labels\n");
}

// ---------------------------------------------------------------- what there is

void CommandLine::models() {
  CLI::App* sub = app_.add_subcommand("models", "what there is, what it can do, its options");
  sub->add_option("NAME", a_.subject, "one model, with all its options");
  sub->add_flag("--json", a_.json, "print an array of objects");
  sub->add_flag("--markdown", a_.markdown, "print docs/models.md");
  sub->add_flag("--markdown-table", a_.markdown_table, "print the table of models in README.md");
  app_.add_subcommand("doctor", "what is installed and what the machine grants: threads, memory, BLAS, data");
}

void CommandLine::data() {
  CLI::App* sub = app_.add_subcommand("data", "known and generated data sets");
  sub->require_subcommand(1);
  sub->add_subcommand("list", "every set, and whether it is there");
  CLI::App* info = sub->add_subcommand("info", "shape, values, labels and splits of a set or file");
  info->add_option("SPEC", a_.subject, "data")->required();
  info->add_flag("--json", a_.json, "print one JSON object");
  CLI::App* make = sub->add_subcommand("make", "write a generated set to a file");
  make->add_option("NAME", a_.subject, "a generated set, with options: glyphs:seed=7,train=1000")->required();
  out_option(make, "FILE.npz, or FILE.csv of a table");
}

}  // namespace deepgen
