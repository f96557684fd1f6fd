// How well a classifier tells the rows of a probe apart: numbers of the learning curve.
#pragma once

#include <string>

#include "deepgen/model/capabilities.h"

namespace deepgen {

// The places of the rows with a known label, [n] int64.
Tensor labelled_places(const Rows& rows);

// Adds <part>_classification_error (percent) and <part>_classification_log_loss (nats) of the rows with a known label;
// nothing where there are none.
void add_class_metrics(const CanClassify& model, const Rows& rows, const std::string& part, Metrics& metrics);

}  // namespace deepgen
