#include "deepgen/cli/arguments.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>

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

// "20m", "90s", "1.5h" or plain seconds.
double parse_duration(const std::string& text) {
  double unit = 1;
  std::string number = text;
  if (!text.empty() && std::string("smh").find(text.back()) != std::string::npos) {
    unit = text.back() == 's' ? 1 : text.back() == 'm' ? 60 : 3600;
    number.pop_back();
  }
  try {
    std::size_t used = 0;
    const double value = std::stod(number, &used);
    if (used == number.size() && value > 0 && value < 1e9) return value * unit;
  } catch (const std::exception&) {
  }
  fail_usage("--budget", fmt::format("expected a time like 90s, 20m or 1.5h, got '{}'", text));
}

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

// Builds the command line of every verb around one Arguments value.
class CommandLine {
 public:
  explicit CommandLine(Arguments& a) : a_(a), app_(overview, "deepgen") {
    app_.set_version_flag("--version", fmt::format("deepgen {} ({})", program_version(), program_commit()));
    app_.require_subcommand(0, 1);
    app_.get_formatter()->column_width(34);
    training();
    searching();
    running();
    information();
  }
  CLI::App& app() { return app_; }
  std::string budget;

 private:
  CLI::App* verb(const std::string& name, const std::string& help) {
    CLI::App* sub = app_.add_subcommand(name, help);
    const auto take_seed = [this](const std::string& text) {
      a_.seed = parse_seed(text);
      a_.seed_given = true;
    };
    sub->add_option_function<std::string>("--seed", take_seed, "seed of every random draw")
        ->type_name("UINT")
        ->default_str("1");
    sub->add_option("--threads", a_.threads, "threads; all cores when not given")->check(CLI::Range(1, 1024));
    sub->add_flag("--quiet", a_.quiet, "no progress on stderr");
    return sub;
  }
  void data_option(CLI::App* sub, bool required = true) {
    auto* option = sub->add_option("--data", a_.data, "SPEC of the data");
    if (required) option->required();
    sub->add_option("--split", a_.split,
                    "train, valid or test; a file with one matrix has all its rows in each")
        ->default_val("test");
  }
  void out_option(CLI::App* sub, const std::string& help) {
    sub->add_option("--out", a_.out, help)->required();
  }
  void run_argument(CLI::App* sub) {
    sub->add_option("RUN", a_.subject, "folder of a run, or a .safetensors file")->required();
  }
  void annealing_options(CLI::App* sub) {
    sub->add_option("--ais", a_.ais, "annealing schedule: quick, standard, salakhutdinov_murray or linear-K")
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

  void training() {
    CLI::App* sub = verb("train", "learn a model from data");
    sub->add_option("MODEL", a_.subject, "a model (`deepgen models`) or a recipe (recipes/*.toml)")
        ->required();
    sub->add_option("--data", a_.data, "SPEC of the data; a recipe brings its own");
    out_option(sub, "folder of the run: checkpoint, metrics, pictures, report.html");
    sub->add_option("--set", a_.settings,
                    "model.<option>=value or training.<option>=value; `deepgen models NAME` lists them")
        ->allow_extra_args(true);
    sub->add_option("--device", a_.device, "cpu or cuda")->default_val("cpu");
    sub->add_flag("--resume", a_.resume,
                  "go on from the run's checkpoint; the result is that of an uninterrupted run");
    sub->add_flag("--overwrite", a_.overwrite, "replace an earlier run in that folder");

    CLI::App* again = verb("reproduce", "train a recipe and set its published number beside ours");
    again->add_option("RECIPE", a_.subject, "name or path of a recipe");
    again->add_flag("--markdown", a_.markdown, "print docs/results.md from what is recorded");
    again->add_option("--budget", budget, "stop training after this time (90s, 20m, 1.5h)");
    again->add_option("--out", a_.out, "folder of the run (default runs/RECIPE)");
    again->add_option("--results", a_.results, "folder where the result is recorded (default docs/results)");
    again->add_flag("--json", a_.json, "print one JSON object");
    again->add_flag("--resume", a_.resume, "go on from the run's checkpoint");
    again->add_flag("--overwrite", a_.overwrite, "replace an earlier run in that folder");
  }

  void searching() {
    CLI::App* sub = verb("search", "try settings, choose on the validation rows, train the best anew");
    sub->add_option("MODEL", a_.subject, "a model (`deepgen models`) or a recipe (recipes/*.toml)")
        ->required();
    sub->add_option("--data", a_.data, "SPEC of the data; a recipe brings its own");
    out_option(sub, "folder of the search: search.json, report.html, trials, best");
    sub->add_option("--budget", budget, "time for all of it (90s, 20m, 1.5h)");
    sub->add_option("--trials", a_.trials,
                    "combinations to try; 16, or what the budget allows, when not given")
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

  void running() {
    CLI::App* sample = verb("sample", "draw from a model");
    run_argument(sample);
    sample->add_option("-n", a_.count, "how many")->default_val(100)->check(CLI::Range(1, 10000000));
    out_option(sample, "FILE.png (a grid of images), .npy or .csv");
    sample->add_option("--given", a_.given,
                       "condition, as in y=3; models that need one draw the classes in turn without it");
    sample->add_option("--steps", a_.steps, "Gibbs steps before the first sample (models with chains)")
        ->default_val(1000)
        ->check(CLI::Range(0, 10000000));
    sample->add_option("--rows", a_.rows, "follow the chains: this many samples of each")
        ->default_val(1)
        ->check(CLI::Range(1, 100000));
    sample->add_option("--between", a_.between, "Gibbs steps between two samples of a chain")
        ->default_val(1000)
        ->check(CLI::Range(1, 10000000));
    sample->add_option("--columns", a_.columns, "images in a row of the grid; 0: as square as possible")
        ->default_val(0)
        ->check(CLI::Range(0, 100000));

    CLI::App* score = verb("score", "log-probability (or bound, or estimate) of every row");
    run_argument(score), data_option(score), out_option(score, "FILE.npy or .csv, one number a row"),
        annealing_options(score);

    CLI::App* evaluate = verb("evaluate", "what can honestly be said of a model on data");
    run_argument(evaluate), data_option(evaluate), annealing_options(evaluate);
    evaluate->add_flag("--json", a_.json, "print one JSON object on stdout");
    evaluate
        ->add_option("--orders", a_.orders,
                     "members of an ensemble over orders of the variables, for models that have many")
        ->default_val(1)
        ->check(CLI::Range(1, 100000));
    CLI::Option* features =
        evaluate->add_flag("--features", a_.features,
                           "also how well plain classifiers tell the classes from the code, and from the raw "
                           "input beside it");
    evaluate->add_option("--feature-rows", a_.feature_rows, "training rows of these classifiers at most")
        ->default_val(10000)
        ->check(CLI::Range(10, 10000000))
        ->needs(features);

    evaluate->add_flag(
        "--sample-tests", a_.sample_tests,
        "also tests on samples: Parzen windows with controls, two-sample tests, neighbours among "
        "the training rows; always on for models without a likelihood");

    CLI::App* complete = verb("complete", "fill missing cells (NaN, or empty in CSV)");
    run_argument(complete), data_option(complete), out_option(complete, "FILE.npy, .csv or .png");
    complete->add_option("-n", a_.limit, "at most this many rows; all when not given")
        ->check(CLI::Range(std::int64_t{1}, std::numeric_limits<std::int64_t>::max()));
    complete->add_option(
        "--hide", a_.hide,
        "forget cells first, to see what the model makes of them: the bottom, top, left or right half of "
        "each picture, or a share of all cells, as in 0.2; a .png then shows truth, what is left, "
        "completion");
    complete->add_option("--steps", a_.steps, "Gibbs steps of each completion (models with chains)")
        ->default_val(1000)
        ->check(CLI::Range(1, 10000000));

    complete
        ->add_option(
            "--draws", a_.draws,
            "independent completions of each row; written is the mean of the draws of a cell (a count "
            "rounded), or the most frequent value of a binary or categorical one")
        ->default_val(1)
        ->check(CLI::Range(1, 100000));
    complete->add_option(
        "--spread", a_.spread,
        "FILE.csv or .npy: how unsure each completed cell is, from the draws: their standard deviation, or "
        "1 - share of the most frequent value (binary, categorical); empty (NaN) for known cells");

    CLI::App* encode = verb("encode", "features of every row");
    run_argument(encode), data_option(encode), out_option(encode, "FILE.npy or .csv");
    CLI::App* reconstruct = verb("reconstruct", "rows after encoding and decoding");
    run_argument(reconstruct), data_option(reconstruct), out_option(reconstruct, "FILE.npy, .csv or .png");
    for (CLI::App* sub : {evaluate, sample, score, complete, encode, reconstruct})
      sub->add_option("--device", a_.device, "cpu or cuda")->default_val("cpu");
  }

  void information() {
    CLI::App* models = app_.add_subcommand("models", "what there is, with capabilities and options");
    models->add_option("NAME", a_.subject, "one model, with all its options");
    models->add_flag("--json", a_.json, "print an array of objects");
    models->add_flag("--markdown", a_.markdown, "print docs/models.md");
    app_.add_subcommand("doctor", "what is installed: threads, BLAS, instruction set, data");
    CLI::App* data = app_.add_subcommand("data", "known and generated data sets");
    data->require_subcommand(1);
    data->add_subcommand("list", "every set, and whether it is there");
    CLI::App* info = data->add_subcommand("info", "shape, values and splits of a set or file");
    info->add_option("SPEC", a_.subject, "data")->required();
    CLI::App* make = data->add_subcommand("make", "write a generated set to a file");
    make->add_option("NAME", a_.subject, "a generated set, with options: glyphs:seed=7,train=1000")
        ->required();
    out_option(make, "FILE.npz, or FILE.csv of a table");
  }

  Arguments& a_;
  CLI::App app_;
};

void collect_names(const CLI::App& app, std::vector<std::string>& names) {
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
}

// The subcommand the user is in, as far as it was understood.
const CLI::App* active(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  return chosen.empty() ? &app : active(*chosen.front());
}

// Whether a command is to follow and was not understood.
bool lacks_verb(const CLI::App& app) {
  return app.get_subcommands().empty() && !app.get_subcommands([](const CLI::App*) { return true; }).empty();
}

bool is_flag(const std::string& word) { return word.starts_with("-"); }

[[noreturn]] void fail_extra(const CLI::App& app, const std::vector<std::string>& extras) {
  const CLI::App* where = active(app);
  auto chosen =
      std::find_if(extras.begin(), extras.end(), is_flag);  // the likelier mistake, where verbs are known
  if (lacks_verb(*where) || chosen == extras.end()) chosen = extras.begin();
  std::string extra = chosen == extras.end() ? "" : *chosen;
  if (is_flag(extra)) extra = extra.substr(0, extra.find('='));
  std::vector<std::string> known;
  if (is_flag(extra))
    collect_names(*where, known);
  else
    for (const CLI::App* sub : where->get_subcommands([](const CLI::App*) { return true; }))
      known.push_back(sub->get_name());
  if (known.empty()) fail_usage(where->get_name(), fmt::format("unexpected argument '{}'", extra));
  fail_usage(where->get_name(), unknown_name(is_flag(extra) ? "flag" : "command", extra, known));
}

// Something required is missing: perhaps because its name is misspelt.
[[noreturn]] void fail_required(const CLI::App& app, const std::string& what) {
  const std::vector<std::string> extras = app.remaining(true);
  const CLI::App* where = active(app);
  if (std::any_of(extras.begin(), extras.end(), is_flag) || (lacks_verb(*where) && !extras.empty()))
    fail_extra(app, extras);
  fail_usage(where->get_name(), what);
}

// Parses; true when help or the version was printed and nothing is left to do.
bool parse_or_inform(CLI::App& app, int argc, const char* const* argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::fputs(active(app)->help().c_str(), stdout);
    return true;
  } catch (const CLI::CallForVersion&) {
    std::printf("deepgen %s (%s)\n", program_version().c_str(), program_commit().c_str());
    return true;
  } catch (const CLI::ExtrasError&) {
    fail_extra(app, app.remaining(true));
  } catch (const CLI::RequiredError& error) {
    fail_required(app, error.what());
  } catch (const CLI::ParseError& error) {
    fail_usage(active(app)->get_name(), error.what());
  }
  if (!app.get_subcommands().empty()) return false;
  std::fputs(app.help().c_str(), stdout);
  return true;
}

}  // namespace

ParsedArguments parse_arguments(int argc, const char* const* argv) {
  ParsedArguments result;
  Arguments& a = result.arguments;
  CommandLine line(a);
  CLI::App& app = line.app();
  result.done = parse_or_inform(app, argc, argv);
  if (result.done) return result;
  const CLI::App* chosen = app.get_subcommands().front();
  a.verb = chosen->get_name();
  if (a.verb == "data") a.verb += " " + chosen->get_subcommands().front()->get_name();
  if (!line.budget.empty()) a.budget_seconds = parse_duration(line.budget);
  check_arguments(a);
  return result;
}

void finish_output() {
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return;
  fail_data("stdout", fmt::format("cannot write all of the output{}{}", errno ? ": " : "",
                                  errno ? std::strerror(errno) : ""));
}

std::string plain_text(const std::string& text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
    if (byte == '\n' || byte == '\r' || byte == '\t')
      plain += ' ';
    else if (byte < 0x20 || byte == 0x7f)
      plain += '?';
    else if (byte == 0xc2 && next >= 0x80 && next < 0xa0)
      plain += '?', ++i;  // U+0080..U+009F: controls too
    else
      plain += text[i];
  }
  return plain;
}

int report_error(const std::exception& error) {
  const auto* known = dynamic_cast<const Error*>(&error);
  const bool lost = !known && std::ferror(stdout) != 0;  // fmt::print says only that it failed
  const std::string what = lost ? "[stdout] cannot write all of the output" : error.what();
  std::fprintf(stderr, "deepgen: %s\n", plain_text(what).c_str());
  return lost    ? static_cast<int>(ErrorKind::data)
         : known ? known->exit_code()
                 : static_cast<int>(ErrorKind::bug);
}

}  // namespace deepgen
