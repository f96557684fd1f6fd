# deepgen/core/version.h says which commit this program was built from; results carry it.
execute_process(COMMAND git describe --always --dirty --abbrev=12
  WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} OUTPUT_VARIABLE DEEPGEN_COMMIT
  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT DEEPGEN_COMMIT)
  set(DEEPGEN_COMMIT "unknown")
endif()
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/version_values.h CONTENT
"#pragma once
#define DEEPGEN_VERSION \"${PROJECT_VERSION}\"
#define DEEPGEN_COMMIT \"${DEEPGEN_COMMIT}\"
")
