#include "deepgen/data/generated/generated.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>
#include <thread>
#include <utility>

#include "deepgen/core/error.h"
#include "deepgen/core/machine.h"
#include "deepgen/data/generated/settings.h"

namespace deepgen {
namespace {

using generated::Settings;

struct Entry {
  GeneratedInfo info;
  GeneratedSet (*make)(const Settings&);
};

constexpr double most_cases = 1e6;                // keeps the largest set under a gigabyte
constexpr double last_seed = 9007199254740991.0;  // 2^53 - 1: every whole number up to it is a double

// The options of every set of three parts, then its own.
std::vector<GeneratedOption> with_common(double train, double valid, double test,
                                         std::vector<GeneratedOption> own) {
  std::vector<GeneratedOption> all = {{"train", train, 1, most_cases, true, "training cases"},
                                      {"valid", valid, 0, most_cases, true, "validation cases"},
                                      {"test", test, 0, most_cases, true, "test cases"},
                                      {"seed", 0, 0, last_seed, true, "which draw of the set"}};
  all.insert(all.end(), own.begin(), own.end());
  return all;
}

std::vector<Entry> make_entries() {
  const GeneratedOption noise{"noise", 0.05, 0.01, 1, false, "standard deviation of each Gaussian"};
  const GeneratedOption variation{"variation", 1,     0,
                                  1,           false, "how far writing differs from the plain skeletons"};
  return {
      {{"glyphs", "grey 28x28 digits drawn as pen strokes, with known factors",
        with_common(50000, 10000, 10000, {variation})},
       generated::make_glyphs},
      {{"glyph_pairs", "glyphs above the same glyphs moved, the label is the motion",
        with_common(20000, 2000, 2000,
                    {variation,
                     {"reach", 1, 0, 3, true, "longest shift in either direction, in steps"},
                     {"step", 3, 1, 6, true, "pixels of a step"},
                     {"turns", 0, 0, 2, true, "angles to either side, by which glyphs are turned first"},
                     {"angle", 30, 1, 90, false, "degrees from one angle to the next"}})},
       generated::make_glyph_pairs},
      {{"bars_and_stripes", "binary n x n images of full rows or full columns, exact log-probability",
        with_common(5000, 1000, 1000, {{"size", 4, 2, 28, true, "rows and columns n"}})},
       generated::make_bars_and_stripes},
      {{"shifter", "random bits beside the same bits shifted left, not or right, exact log-probability",
        with_common(5000, 1000, 1000, {{"size", 8, 3, 64, true, "bits that are shifted"}})},
       generated::make_shifter},
      {{"shifts", "random pictures above the same pictures moved, exact log-probability",
        with_common(20000, 2000, 2000,
                    {{"size", 8, 2, 16, true, "rows and columns of each picture"},
                     {"reach", 1, 0, 3, true, "longest shift in either direction, around the edges"},
                     {"turns", 0, 0, 1, true, "1: quarter turns before the shift, too"}})},
       generated::make_shifts},
      {{"ising", "spins of an n x n torus in thermal equilibrium, exact log-probability",
        with_common(5000, 1000, 1000,
                    {{"size", 4, 3, 16, true, "rows and columns n; samples are exact up to 10"},
                     {"temperature", 2.5, 0.5, 100, false, "in units of the coupling; critical at 2.269"}})},
       generated::make_ising},
      {{"rings", "points of the plane on concentric rings, exact log-density",
        with_common(10000, 2000, 2000, {{"rings", 3, 1, 10, true, "number of rings"}, noise})},
       generated::make_rings},
      {{"spirals", "points of the plane on the arms of a spiral, exact log-density",
        with_common(10000, 2000, 2000,
                    {{"arms", 2, 1, 10, true, "number of arms"},
                     {"turns", 1.5, 0.25, 4, false, "turns of each arm"},
                     noise})},
       generated::make_spirals},
      {{"grid", "points of the plane around the corners of a square lattice, exact log-density",
        with_common(10000, 2000, 2000, {{"size", 5, 1, 16, true, "lattice points in a row"}, noise})},
       generated::make_grid},
      {{"people",
        "a table of mixed columns (real, count, binary, categorical) that depend on hidden factors",
        {{"rows", 5000, 1, most_cases, true, "cases, in one part: hold some out with valid= and test="},
         {"seed", 0, 0, last_seed, true, "which draw of the set"},
         {"missing", 0, 0, 0.99, false,
          "share of cells that are left out at random; the others are those of missing=0"}},
        true},
       generated::make_people},
  };
}

const std::vector<Entry>& entries() {
  static const std::vector<Entry> all = make_entries();
  return all;
}

double parse_number(const std::string& who, const GeneratedOption& option, const std::string& text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, status] = std::from_chars(text.data(), end, value);
  const bool number = status == std::errc() && stop == end && std::isfinite(value);
  const bool fits = number && value >= option.low && value <= option.high;
  if (!fits || (option.whole && value != std::floor(value))) {
    fail_usage(who, "expected " + option_text(option) + ", got '" + text + "'");
  }
  return value;
}

Settings resolve(const GeneratedInfo& info, const std::map<std::string, std::string>& options) {
  Settings settings;
  std::vector<std::string> names;
  for (const GeneratedOption& option : info.options) {
    settings[option.name] = option.initial;
    names.push_back(option.name);
  }
  for (const auto& [key, text] : options) {
    if (settings.count(key) == 0) fail_usage(info.name, unknown_name("option", key, names));
  }
  for (const GeneratedOption& option : info.options) {
    const auto given = options.find(option.name);
    if (given != options.end()) settings[option.name] = parse_number(info.name, option, given->second);
  }
  return settings;
}

}  // namespace

const std::vector<GeneratedInfo>& generated_sets() {
  static const std::vector<GeneratedInfo> all = [] {
    std::vector<GeneratedInfo> infos;
    for (const Entry& entry : entries()) infos.push_back(entry.info);
    return infos;
  }();
  return all;
}

std::string option_text(const GeneratedOption& option) {
  std::ostringstream text;
  text.precision(16);
  text << option.name << '=' << option.initial << " (" << (option.whole ? "whole number, " : "number, ")
       << option.low << ".." << option.high << "): " << option.description;
  return text.str();
}

void check_generated_options(const std::string& name, const std::map<std::string, std::string>& options) {
  for (const Entry& entry : entries()) {
    if (entry.info.name != name) continue;
    for (const GeneratedOption& option : entry.info.options) {
      const auto given = options.find(option.name);
      if (given != options.end()) parse_number(name, option, given->second);
    }
  }
}

GeneratedSet generate(const std::string& name, const std::map<std::string, std::string>& options) {
  std::vector<std::string> names;
  for (const Entry& entry : entries()) {
    if (entry.info.name == name) return entry.make(resolve(entry.info, options));
    names.push_back(entry.info.name);
  }
  fail_usage("data", unknown_name("generated set", name, names));
}

namespace generated {
namespace {

// body(index) for every case, in threads of its own and not OpenMP's: the command makes sets too, and
// OpenMP's library must not be in it before it has said how threads wait (cli/main.cpp).
void share_out(std::int64_t cases, const std::function<void(std::int64_t)>& body) {
  const std::int64_t team = std::max<std::int64_t>(1, std::min<std::int64_t>(worker_threads(), cases));
  const auto share = [&](std::int64_t part) {
    for (std::int64_t index = cases * part / team; index < cases * (part + 1) / team; ++index) body(index);
  };
  std::vector<std::jthread> others;
  for (std::int64_t part = 1; part < team; ++part) others.emplace_back(share, part);
  share(0);
}

void fill_split(const GeneratedSet& set, std::uint64_t split, std::int64_t cases, const Rng& root,
                const DrawCase& draw, Array& values, Array& labels, Array& factors) {
  std::vector<std::int64_t> shape = {cases};
  shape.insert(shape.end(), set.case_shape.begin(), set.case_shape.end());
  const bool real = set.values == ValueKind::real;
  values = make_array(real ? DType::f32 : DType::u8, shape);
  labels = make_array(DType::u8, {cases});
  const auto factor_count = static_cast<std::int64_t>(set.factor_names.size());
  if (factor_count > 0) factors = make_array(DType::f32, {cases, factor_count});
  std::int64_t columns = 1;
  for (const std::int64_t size : set.case_shape) columns *= size;

  share_out(cases, [&](std::int64_t index) {
    Rng rng = root.fork({split, static_cast<std::uint64_t>(index)});
    CaseOut out;
    if (real) {
      out.reals = values.as<float>() + index * columns;
    } else {
      out.bytes = values.as<std::uint8_t>() + index * columns;
    }
    out.label = labels.as<std::uint8_t>() + index;
    if (factor_count > 0) out.factors = factors.as<float>() + index * factor_count;
    draw(rng, out);
  });
}

}  // namespace

void fill_splits(GeneratedSet& set, const Settings& settings, const DrawCase& draw) {
  const Rng root(static_cast<std::uint64_t>(settings.at("seed")));
  const auto cases = [&](const char* split) { return static_cast<std::int64_t>(settings.at(split)); };
  fill_split(set, 0, cases("train"), root, draw, set.train, set.train_labels, set.train_factors);
  fill_split(set, 1, cases("valid"), root, draw, set.valid, set.valid_labels, set.valid_factors);
  fill_split(set, 2, cases("test"), root, draw, set.test, set.test_labels, set.test_factors);
}

GeneratedSet empty_set(const std::string& name, ValueKind values, std::vector<std::int64_t> case_shape) {
  GeneratedSet set;
  set.name = name;
  for (const Entry& entry : entries()) {
    if (entry.info.name == name) set.description = entry.info.description;
  }
  set.values = values;
  set.case_shape = std::move(case_shape);
  return set;
}

}  // namespace generated
}  // namespace deepgen
