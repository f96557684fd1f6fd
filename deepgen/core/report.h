// The report of a run: one self-contained page (report.html) with scores, learning curves, pictures, options.
//
// It needs no network and no script, follows the reader's light or dark setting and fits a phone. Every text
// that comes from outside (names of models, data, options) is escaped.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace deepgen {

// A PNG file, shown with its own pixels visible.
struct ReportPicture {
  std::string title;
  std::vector<std::uint8_t> png;
};

// The page as text.
//
// `run` is the content of run.json. Understood are:
//   model, title, data       the heading
//   status                   anything but "done" is shown as a warning
//   warnings                 array of sentences
//   findings                 array of sentences, shown in a box at the top; an empty one is good news
//   rollbacks                array of records with a `message`, shown below them
//   started_from             array of records with `path` and `part` of the runs whose weights it began with
//   scores                   array as in `evaluate --json`; an entry may carry its own `split` and `data`
//   evaluations              array of whole objects of `evaluate --json`, or a single one under `evaluation`;
//                            their peak_memory_bytes stand below the scores
//   options                  object of groups: {"model": {...}, "training": {...}}
//   proxies                  names of metrics to mark as proxies, beside those known (reconstruction,
//   pseudo-...)
// and every other entry becomes a fact of the heading under its own name; *seconds and *_bytes get units.
// `curve` holds the lines of metrics.jsonl, where records with an `event` become marks in the charts; `help`
// maps "model.hidden" to its help text. `more` is shown as it is, before the options: sections of a page.
std::string report_html(const nlohmann::ordered_json& run, const std::vector<nlohmann::ordered_json>& curve,
                        const std::vector<ReportPicture>& pictures,
                        const std::map<std::string, std::string>& help = {}, const std::string& more = "");

// The lines of a metrics.jsonl; a last line cut short by a crash is left out, other bad lines are data
// errors.
std::vector<nlohmann::ordered_json> parse_curve(const std::string& text);

}  // namespace deepgen
