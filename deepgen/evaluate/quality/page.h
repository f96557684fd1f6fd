// A quality report as a page: the figures, histograms of real beside synthetic cells of the worst columns first, and
// the matrix of pair trends. Self-contained, without scripts; all names are escaped.
#pragma once

#include <string>

#include "deepgen/evaluate/quality/quality.h"

namespace deepgen::quality {

// Around the sections of a page, so that report.html can take them over.
inline constexpr const char *sections_begin = "<!-- quality -->", *sections_end = "<!-- /quality -->";

std::string report_sections(const Report& report, const Tables& tables);

// quality.html.
std::string report_page(const Report& report, const Tables& tables);

}  // namespace deepgen::quality
