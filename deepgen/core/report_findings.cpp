#include "deepgen/core/html.h"
#include "deepgen/core/report_parts.h"

namespace deepgen::report {

std::string findings_section(const Json& run) {
  if (!run.contains("findings") || !run["findings"].is_array()) return "";
  const Json& findings = run["findings"];
  if (findings.empty())
    return "<section class=\"findings calm\"><h2>Training</h2><p>No problems found in the learning "
           "curves.</p></section>\n";
  std::string html = "<section class=\"findings\"><h2>What was found in the training</h2><ul>";
  for (const Json& finding : findings) html += "<li>" + escape_html(value_text("", finding)) + "</li>";
  html += "</ul>";
  if (run.contains("rollbacks") && run["rollbacks"].is_array() && !run["rollbacks"].empty()) {
    html += "<p class=\"quiet\">Dotted lines in the charts mark the returns to an earlier state:</p>";
    html += "<ul class=\"quiet\">";
    for (const Json& event : run["rollbacks"])
      html += "<li>" + escape_html(text_at(event, "message")) + "</li>";
    html += "</ul>";
  }
  return html + "</section>\n";
}

}  // namespace deepgen::report
