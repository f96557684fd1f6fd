// A search for settings: many trained a little, the better half of them further, round by round (successive
// halving: Jamieson and Talwalkar 2016); chosen by the validation rows alone, and the best trained anew.
#pragma once

#include "deepgen/core/observer.h"
#include "deepgen/runs/search_record.h"
#include "deepgen/runs/search_space.h"

namespace deepgen {

// Searches in the folder plan.out, where search.json, report.html, a run a trial and the best run are
// written. Equal plans give equal searches, however often they were interrupted and resumed, where there is
// no budget of time. Settings that fail are noted and passed over. A stop by the observer is an Error of kind
// interrupted; what is done is kept. docs/search.md says how trials and epochs are planned.
SearchRecord search_settings(SearchPlan plan, Observer& observer);

}  // namespace deepgen
