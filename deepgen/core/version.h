// Which program this is; results carry it.
#pragma once

#include <string>

namespace deepgen {

std::string program_version();  // "0.1.0"
std::string program_commit();   // of the sources it was built from, "-dirty" when they had changes

}  // namespace deepgen
