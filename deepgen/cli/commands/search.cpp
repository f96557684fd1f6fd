// search: settings tried on the training rows, chosen on the validation rows, the best of them trained anew.
#include "deepgen/runs/search.h"

#include <fmt/format.h>

#include "deepgen/cli/commands/commands.h"
#include "deepgen/cli/commands/console.h"

namespace deepgen {

void search_command(const Arguments& arguments) {
  ConsoleObserver console(arguments.quiet);
  const SearchRecord record = search_settings(plan_search(arguments), console);
  for (const std::string& line : search_table(record)) console.message(line);
  console.message(fmt::format("report: {0}/report.html; next: deepgen evaluate {0}/best --data {1}",
                              arguments.out, record.asked.at("data").get<std::string>()));
  if (arguments.json) fmt::print("{}\n", to_json(record).dump(2));
}

}  // namespace deepgen
