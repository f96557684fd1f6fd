#include <fmt/format.h>

#include "deepgen/cli/commands/commands.h"
#include "deepgen/core/error.h"

namespace deepgen {
void reproduce_command(const Arguments&) { fail_usage("reproduce", "being written"); }
}  // namespace deepgen
