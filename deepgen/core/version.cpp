#include "deepgen/core/version.h"

#include "version_values.h"

namespace deepgen {

std::string program_version() { return DEEPGEN_VERSION; }
std::string program_commit() { return DEEPGEN_COMMIT; }

}  // namespace deepgen
