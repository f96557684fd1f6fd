// How a model wants a table where the SPEC does not say.
#pragma once

namespace deepgen {

struct TableReading {
  bool bins = false;   // numbers become categories (number_bins.h); else they are standardised
  bool marks = false;  // whether a cell is missing is a column of its own, learnt with the others
};

}  // namespace deepgen
