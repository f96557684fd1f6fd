#include "deepgen/data/files/data_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <numeric>

#include "deepgen/core/error.h"
#include "deepgen/core/rng.h"

namespace deepgen {
namespace {

// Option and its value, of those that only a CSV table has.
std::vector<std::pair<std::string, std::string>> table_options(const DataOptions& options) {
  return {{"real", options.real},       {"count", options.count},     {"categorical", options.categorical},
          {"binary", options.binary},   {"ignore", options.ignore},   {"weight", options.weight},
          {"header", options.header},   {"date", options.date},       {"ordinal", options.ordinal},
          {"numbers", options.numbers}, {"gaps", options.gaps},       {"identifier", options.identifier},
          {"decimal", options.decimal}, {"missing", options.missing}, {"delimiter", options.delimiter}};
}

// The kind that an option states for its columns; nothing where it states none.
std::optional<TableColumnKind> stated_by(const std::string& option) {
  if (option == "ordinal") return TableColumnKind::categorical;
  if (option == "date") return TableColumnKind::real;
  return table_column_kind(option);
}

// A whole number of 0 or more, or -1.
std::int64_t place(const std::string& text) {
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, number);
  return code == std::errc() && stop == end && number >= 0 ? number : -1;
}

// "age+income" in its parts.
std::vector<std::string> listed(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find('+', start), text.size());
    parts.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return parts;
}

// "size(low<mid<high)" and "when(dmy)": a column and what more is said of it.
struct Stated {
  std::string column;
  std::vector<std::string> more;
};

Stated stated_column(const std::string& text) {
  const std::size_t open = text.rfind('(');
  if (open == std::string::npos || !text.ends_with(')')) return {text, {}};
  const std::string inner = text.substr(open + 1, text.size() - open - 2);
  const bool order = inner.find('<') != std::string::npos;
  if (!order && inner != "dmy" && inner != "mdy" && inner != "ymd") return {text, {}};
  Stated stated = {text.substr(0, open), {}};
  for (std::size_t start = 0; start <= inner.size();) {
    const std::size_t end = std::min(inner.find('<', start), inner.size());
    stated.more.push_back(inner.substr(start, end - start));
    start = end + 1;
  }
  return stated;
}

char separator_named(const std::string& name, const std::string& who) {
  if (name.empty()) return 0;
  if (name == "comma") return ',';
  if (name == "semicolon") return ';';
  if (name == "tab" || name == "\\t") return '\t';
  if (name == "pipe") return '|';
  if (name == "space" || name == " ") return ' ';
  const bool letter = std::isalnum(static_cast<unsigned char>(name[0])) != 0;
  if (name.size() != 1 || letter || name == "\"" || static_cast<unsigned char>(name[0]) >= 0x80)
    fail_usage(who, fmt::format("expected comma, semicolon, tab, pipe, space or one sign for delimiter=, got "
                                "'{}'",
                                name));
  return name[0];
}

}  // namespace

DataSpec parse_data_spec(const std::string& text) {
  DataSpec spec;
  // The options begin at the last colon that is followed by key=; a path may hold other colons.
  std::size_t colon = text.rfind(':');
  while (colon != std::string::npos && text.find('=', colon) == std::string::npos)
    colon = colon == 0 ? std::string::npos : text.rfind(':', colon - 1);
  spec.name = text.substr(0, colon);
  if (colon != std::string::npos && (text.size() > colon + 1)) {
    std::string rest = text.substr(colon + 1);
    for (std::size_t start = 0; start <= rest.size();) {
      const std::size_t end = std::min(rest.find(',', start), rest.size());
      const std::string item = rest.substr(start, end - start);
      const std::size_t equals = item.find('=');
      if (equals == std::string::npos || equals == 0)
        fail_usage(text, fmt::format("expected key=value after the colon, got '{}'", item));
      spec.options[item.substr(0, equals)] = item.substr(equals + 1);
      start = end + 1;
    }
  }
  if (spec.name.empty()) fail_usage(text, "expected the name of a set or a path before the colon");
  return spec;
}

void DataOptions::visit(OptionVisitor& v) {
  v.field({"binarize",
           "grey values become bits: threshold (>= 0.5), static (one fixed draw), dynamic (a new draw at "
           "each presentation; valid and test fixed), none",
           0,
           0,
           {"", "none", "static", "dynamic", "threshold"}},
          binarize);
  v.field({"valid",
           "cases (or share of all, below 1) held out for validation, at random for files; -1: the set's own",
           -1, 1e9},
          valid);
  v.field({"test", "cases (or share of all, below 1) held out for testing, at random; -1: the set's own", -1,
           1e9},
          test);
  v.field({"standardise", "columns to mean 0 and deviation 1 (of the training rows)"}, standardise);
  v.field({"dequantise", "grey levels as a density: (byte + u) / 256, of 16 bits (level + u) / 65536"},
          dequantise);
  v.field({"onehot", "whole-number columns become groups of 0 and 1"}, onehot);
  v.field({"whiten", "columns become uncorrelated with deviation 1, near to what they were (ZCA)"}, whiten);
  v.field({"labels", "column that holds the class: its name, or its number from 0; -1: none"}, labels);
  v.field({"labelled",
           "training rows that keep their labels, as many of each class as can be, drawn by seed; the others "
           "count as "
           "unlabelled; -1: all",
           -1, 1e12},
          labelled);
  v.field({"sequence", "column that names each row's sequence; lengths: the set's; none: rows are cases"},
          sequence);
  v.field({"matrix", "array of a .npz file that holds the rows, where its name is not train or data"},
          matrix);
  v.field({"seed", "seed of the binarisation and of dequantise", 0, 9e15}, seed);
  v.field({"real", "columns of a CSV file, by name or number, joined by +: real numbers, standardised"},
          real);
  v.field({"count", "likewise: whole numbers of 0 or more, as they are"}, count);
  v.field({"categorical", "likewise: one of several values, whatever their number"}, categorical);
  v.field({"binary", "likewise: one of two values"}, binary);
  v.field({"ignore", "likewise: not for the model"}, ignore);
  v.field({"weight", "column of a CSV file: how much a row counts in training, 0 or more"}, weight);
  v.field({"header",
           "whether the first row of a CSV file holds names, where that is told wrongly",
           0,
           0,
           {"", "true", "false"}},
          header);
  v.field(
      {"ordinal", "likewise: categories with an order, by number or as stated: ordinal=size(low<mid<high)"},
      ordinal);
  v.field({"date", "likewise: dates; date=when(dmy) or (mdy) where day and month may be swapped"}, date);
  v.field({"identifier", "likewise: names of rows, not for the model"}, identifier);
  v.field({"decimal", "decimal mark of a CSV file: point, comma", 0, 0, {"", "point", "comma"}}, decimal);
  v.field({"delimiter", "what separates its cells: comma, semicolon, tab, pipe, space or another sign"},
          delimiter);
  v.field({"missing", "texts that stand for a missing cell, joined by +, beside NA, N/A, NaN, ? and nothing"},
          missing);
  v.field({"strict", "cells that a trained run cannot read are refused, not read as missing"}, strict);
  v.field({"numbers",
           "numbers of a CSV file as categories (bins) or as real numbers (gaussian); as suits the model",
           0,
           0,
           {"", "bins", "gaussian"}},
          numbers);
  v.field(
      {"gaps",
       "whether missing cells of a CSV file are learnt, so that samples have them too (learn, ignore); as "
       "suits the model",
       0,
       0,
       {"", "learn", "ignore"}},
      gaps);
}

bool DataOptions::asks_for_table() const {
  for (const auto& [name, value] : table_options(*this))
    if (!value.empty()) return true;
  return false;
}

void check_table_options(const DataOptions& options, const std::string& name, bool is_table) {
  if (!options.matrix.empty() && !name.ends_with(".npz"))
    fail_usage(name, fmt::format("expected a .npz file for the option matrix={}", options.matrix));
  if (is_table) return;
  for (const auto& [option, value] : table_options(options))
    if (!value.empty())
      fail_usage(name, fmt::format("expected a CSV file for the option {}={}", option, value));
  const auto need_number = [&](bool asked, const char* option, const std::string& column) {
    if (asked && place(column) < 0)
      fail_usage(name, fmt::format("expected the number of a column for {}=, got '{}'; only the columns of a "
                                   "CSV file have names",
                                   option, column));
  };
  need_number(options.has_labels(), "labels", options.labels);
  need_number(options.has_sequence_column(), "sequence", options.sequence);
}

std::int64_t find_column(const std::string& who, const std::string& wanted,
                         const std::vector<std::string>& names, std::int64_t columns) {
  const auto found = std::find(names.begin(), names.end(), wanted);
  if (found != names.end()) return found - names.begin();
  const std::int64_t number = place(wanted);
  if (number >= 0 && number < columns) return number;
  if (number >= 0 || names.empty())
    fail_usage(who, fmt::format("expected a column from 0 to {}, got {}", columns - 1, wanted));
  fail_usage(who, unknown_name("column", wanted, names));
}

std::vector<std::optional<TableColumnKind>> stated_kinds(const DataOptions& options, const std::string& who,
                                                         const std::vector<std::string>& names) {
  std::vector<std::optional<TableColumnKind>> kinds(names.size());
  const auto state = [&](const std::string& kind, const std::string& text) {
    const std::string name = kind == "ordinal" || kind == "date" ? stated_column(text).column : text;
    const std::int64_t column =
        find_column(who + " " + kind, name, names, static_cast<std::int64_t>(names.size()));
    std::optional<TableColumnKind>& stated = kinds[static_cast<std::size_t>(column)];
    const std::optional<TableColumnKind> wanted = stated_by(kind);
    if (stated && stated != wanted)
      fail_usage(who, fmt::format("expected one kind for the column '{}', got {} and {}", name,
                                  name_of(*stated), kind));
    stated = wanted;
  };
  for (const auto& [kind, text] : table_options(options))
    if (!text.empty() && stated_by(kind) && kind != "weight")
      for (const std::string& name : listed(text)) state(kind, name);
  if (!options.weight.empty()) state("weight", options.weight);
  if (options.has_labels()) state("labels", options.labels);
  if (options.has_sequence_column()) state("sequence", options.sequence);
  return kinds;
}

CellHints cell_hints(const DataOptions& options, const std::string& who) {
  CellHints hints;
  hints.separator = separator_named(options.delimiter, who);
  hints.decimal = options.decimal == "comma" ? ',' : options.decimal == "point" ? '.' : char{0};
  if (!options.missing.empty()) hints.missing = listed(options.missing);
  return hints;
}

void add_column_hints(CellHints& hints, const DataOptions& options, const std::string& who,
                      const std::vector<std::string>& names) {
  const auto each = [&](const std::string& option, const std::string& text, auto add) {
    if (text.empty()) return;
    for (const std::string& one : listed(text)) {
      const Stated stated = stated_column(one);
      const std::int64_t column =
          find_column(who + " " + option, stated.column, names, static_cast<std::int64_t>(names.size()));
      add(names[static_cast<std::size_t>(column)], stated.more);
    }
  };
  each("date", options.date, [&](const std::string& name, const std::vector<std::string>& more) {
    hints.dates[name] = more.empty() ? "" : more[0];
  });
  each("ordinal", options.ordinal,
       [&](const std::string& name, const std::vector<std::string>& more) { hints.orders[name] = more; });
}

std::int64_t held_out(double asked, std::int64_t cases, std::int64_t left, const std::string& what) {
  const double count =
      std::floor(asked < 1 ? std::round(asked * static_cast<double>(cases) * 1e6) / 1e6 : asked);
  if (count >= static_cast<double>(left))
    fail_data(what,
              fmt::format("expected fewer cases to hold out than the {} there are, got {}", left, count));
  if (count < 1)
    fail_data(what,
              fmt::format("expected a share that holds out at least one of {} cases, got {}", cases, asked));
  return static_cast<std::int64_t>(count);
}

RowParts split_rows(std::int64_t rows, const DataOptions& options, const std::string& what,
                    const Starts& starts) {
  RowParts parts;
  const std::int64_t cases = starts.empty() ? rows : static_cast<std::int64_t>(starts.size());
  if (options.test > 0 || options.valid > 0) {
    parts.train = Rng(static_cast<std::uint64_t>(options.seed)).fork({5}).permutation(cases);
  } else {
    parts.train.resize(static_cast<std::size_t>(cases));
    std::iota(parts.train.begin(), parts.train.end(), std::int64_t{0});
  }
  const auto take = [&](double asked, std::vector<std::int64_t>& part) {
    if (asked <= 0) return;
    const auto left = static_cast<std::int64_t>(parts.train.size());
    const auto from = parts.train.end() - held_out(asked, cases, left, what);
    part.assign(from, parts.train.end());
    parts.train.erase(from, parts.train.end());
  };
  take(options.test, parts.test), take(options.valid, parts.valid);
  if (starts.empty()) return parts;
  const auto spread = [&](std::vector<std::int64_t>& part, Starts& own) {
    CaseRows all = rows_of_cases(starts, rows, part);
    part = std::move(all.rows), own = std::move(all.starts);
  };
  spread(parts.train, parts.train_starts), spread(parts.valid, parts.valid_starts);
  spread(parts.test, parts.test_starts);
  return parts;
}

}  // namespace deepgen
