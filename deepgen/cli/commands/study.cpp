// study: what a learning rule does, exactly, on small machines.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "deepgen/cli/commands/commands.h"
#include "deepgen/cli/commands/console.h"
#include "deepgen/evaluate/cd_bias.h"
#include "deepgen/runs/write_cases.h"

namespace deepgen {

void study_command(const Arguments& arguments) {
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

}  // namespace deepgen
