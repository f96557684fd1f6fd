// study: what a learning rule leaves out, and what learning without labels is worth.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "deepgen/cli/commands/commands.h"
#include "deepgen/cli/commands/console.h"
#include "deepgen/evaluate/cd_bias.h"
#include "deepgen/runs/label_efficiency.h"
#include "deepgen/runs/write_cases.h"

namespace deepgen {

namespace {

void study_cd_bias(const Arguments& arguments) {
  ConsoleObserver console(arguments.quiet);
  CdBiasPlan plan = arguments.cd_bias;
  plan.seed = arguments.seed;
  const CdBiasTable table = measure_cd_bias(plan, console);
  if (!arguments.out.empty()) {
    write_text(arguments.out, arguments.out.ends_with(".svg") ? cd_bias_svg(table) : cd_bias_page(table));
    console.message(fmt::format("written: {}", arguments.out));
  }
  if (arguments.json)
    fmt::print("{}\n", cd_bias_json(table).dump(2));
  else
    fmt::print("{}", cd_bias_text(table));
}

void study_label_efficiency(const Arguments& arguments) {
  ConsoleObserver console(arguments.quiet);
  const LabelEfficiencyTable table = measure_label_efficiency(arguments.label_efficiency, console);
  write_text(arguments.out + "/index.html", label_efficiency_page(table));
  write_text(arguments.out + "/table.json", label_efficiency_json(table).dump(2) + "\n");
  console.message(fmt::format("written: {0}/index.html, {0}/table.json", arguments.out));
  if (arguments.json)
    fmt::print("{}\n", label_efficiency_json(table).dump(2));
  else
    fmt::print("{}", label_efficiency_text(table));
}

}  // namespace

void study_command(const Arguments& arguments) {
  if (arguments.subject == "cd-bias")
    study_cd_bias(arguments);
  else
    study_label_efficiency(arguments);
}

}  // namespace deepgen
