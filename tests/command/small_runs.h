// Small trained runs that several tests look at; each is trained once in a process, when first asked for.
#pragma once

#include "program.h"
#include "run_files.h"

namespace deepgen::command {

const char* const bars = "bars_and_stripes:train=500,valid=100,test=100";             // 16 columns
const char* const glyphs = "glyphs:train=500,valid=100,test=100,binarize=threshold";  // 28 x 28
constexpr std::size_t bars_columns = 16, bars_hidden = 8, glyph_columns = 784,
                      glyphs_hidden = 40;  // of the runs

struct SmallRun {
  explicit SmallRun(const std::string& options)
      : training(place.must("train rbm --out run --threads 1 " + options)) {}
  StoredRun stored() const { return read_stored_run(place.read("run/model.safetensors")); }

  Workplace place;
  Result training;
};

// Few hidden units: its likelihood is exact. And many, whose likelihood is estimated. Both are in `run`.
inline const SmallRun& bars_run() {
  static const SmallRun made(
      std::string("--seed 5 --data ") + bars +
      " --set model.hidden=8 training.epochs=20 --set training.rate=0.1 training.batch=50");
  return made;
}
inline const SmallRun& glyphs_run() {
  static const SmallRun made(std::string("--data ") + glyphs + " --set model.hidden=40 training.epochs=3");
  return made;
}

}  // namespace deepgen::command
