// The sections of a report, each a function from the run's records to a piece of the page.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "deepgen/core/chart.h"
#include "deepgen/core/report.h"

namespace deepgen::report {

using Json = nlohmann::ordered_json;

// The style sheet of the page.
std::string style_sheet();

// A chart with its title and the names of its lines.
std::string chart_figure(const Chart& chart);

// A whole page of this content, with the style sheet; nothing of it comes from elsewhere, and pictures only from
// the page itself.
std::string page(const std::string& title, const std::string& content);

// A leaf of a JSON document as text for people: no quotes around strings, units by the name's ending.
std::string value_text(const std::string& name, const Json& value);

// The leaves of an object, named by their path ("model.hidden").
std::vector<std::pair<std::string, Json>> leaves(const Json& value, const std::string& prefix = "");

// The number at `key`; NaN when it is missing or no number (JSON writes NaN as null).
double number_at(const Json& object, const std::string& key);
std::string text_at(const Json& object, const std::string& key);

// One score with the split and the data it belongs to, wherever in run.json it stood.
std::vector<Json> all_scores(const Json& run);

std::string scores_section(const Json& run);
std::vector<std::string> score_warnings(const Json& run);

// What was found in the curves, and each rollback; "" when the run has no entry `findings`.
std::string findings_section(const Json& run);
// The lines of a curve without the records of events.
std::vector<Json> without_events(const std::vector<Json>& curve);

std::string curves_section(const Json& run, const std::vector<Json>& curve);
std::vector<std::string> curve_warnings(const std::vector<Json>& curve);

}  // namespace deepgen::report
