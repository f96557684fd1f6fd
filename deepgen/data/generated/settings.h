// Inside of the generated sets: resolved options and the loop that fills the three splits.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "deepgen/core/rng.h"
#include "deepgen/data/generated/generated.h"

namespace deepgen::generated {

// Option values, checked and complete.
using Settings = std::map<std::string, double>;

// Where one case is written; the pointers that do not apply are null.
struct CaseOut {
  std::uint8_t* bytes = nullptr;  // grey and binary sets
  float* reals = nullptr;         // real sets
  std::uint8_t* label = nullptr;
  float* factors = nullptr;
};

// Draws one case. Called from several threads at once, each with its own generator and its own place.
using DrawCase = std::function<void(Rng&, const CaseOut&)>;

// Allocates and fills train, valid and test with their labels and, where factors are named, their factors.
// Case `index` of split 0, 1, 2 is drawn from Rng(seed).fork({split, index}).
void fill_splits(GeneratedSet& set, const Settings& settings, const DrawCase& draw);

// A set with its name and its values kind, the rest still empty.
GeneratedSet empty_set(const std::string& name, ValueKind values, std::vector<std::int64_t> case_shape);

GeneratedSet make_glyphs(const Settings& settings);
GeneratedSet make_glyph_pairs(const Settings& settings);
GeneratedSet make_bars_and_stripes(const Settings& settings);
GeneratedSet make_shifter(const Settings& settings);
GeneratedSet make_shifts(const Settings& settings);
GeneratedSet make_ising(const Settings& settings);
GeneratedSet make_rings(const Settings& settings);
GeneratedSet make_spirals(const Settings& settings);
GeneratedSet make_grid(const Settings& settings);
GeneratedSet make_people(const Settings& settings);

}  // namespace deepgen::generated
