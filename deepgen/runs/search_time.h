// How long a search will take, from what it has measured. Torch-free.
#pragma once

#include "deepgen/runs/search_record.h"

namespace deepgen {

// Of training, without pictures and scores; 0 while unknown.
double epoch_seconds(const SearchTrial& trial);

// The mean over the slower half of the trials that are known: slow settings often are the better ones.
// 0 while none is known.
double typical_epoch_seconds(const SearchRecord& record);

// Seconds to the end of all: the rest of this round (from 0), the rounds after it, the retraining. Negative
// while unknown.
double seconds_to_end(const SearchRecord& record, std::size_t round, std::int64_t full_epochs,
                      double score_seconds, bool from_scratch);

// How many trials go on from this round: the better half of those that were tried, failures included.
std::int64_t trials_after(const SearchRecord& record, std::size_t round);

}  // namespace deepgen
