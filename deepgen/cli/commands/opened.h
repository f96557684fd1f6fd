// What the verbs that use a run have in common: the run and its data are opened, and a person is told what
// there is to know of them.
#pragma once

#include "deepgen/cli/arguments.h"
#include "deepgen/core/observer.h"
#include "deepgen/runs/open_run.h"

namespace deepgen {

OpenRun open_and_tell(const Arguments& arguments, Observer& observer);
Dataset load_and_tell(const OpenRun& run, const Arguments& arguments, Observer& observer);

// Sentences of a data set that a person should see, such as columns that were set aside.
void tell_notes(const Dataset& data, Observer& observer);

// The part of the data that is asked for, under the name that the user gave the data: what a task refuses of
// it is said of that.
Split asked_part(const Dataset& data, const Arguments& arguments);

}  // namespace deepgen
