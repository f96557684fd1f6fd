// Hostile bytes for tables that are read by a schema from elsewhere.
#include "targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  deepgen::fuzz::table_by_schema({bytes, size});
  return 0;
}
