# The two tiers. A file may include torch only if its folder is in the second list.
file(GLOB DEEPGEN_CORE_SOURCES CONFIGURE_DEPENDS
  deepgen/core/*.cpp deepgen/kernels/*.cpp deepgen/data/files/*.cpp deepgen/data/generated/*.cpp
  deepgen/cli/*.cpp)
list(FILTER DEEPGEN_CORE_SOURCES EXCLUDE REGEX "cli/main.cpp$")
file(GLOB DEEPGEN_TORCH_SOURCES CONFIGURE_DEPENDS
  deepgen/ops/*.cpp deepgen/data/*.cpp deepgen/parts/*.cpp deepgen/models/*.cpp deepgen/train/*.cpp
  deepgen/evaluate/*.cpp deepgen/tasks/*.cpp deepgen/cli/commands/*.cpp)
# Settings and schedules are torch-free although their folders are not: the command's front resolves them.
list(APPEND DEEPGEN_CORE_SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/deepgen/models/catalog.cpp
  ${CMAKE_CURRENT_SOURCE_DIR}/deepgen/train/settings.cpp
  ${CMAKE_CURRENT_SOURCE_DIR}/deepgen/train/findings.cpp
  ${CMAKE_CURRENT_SOURCE_DIR}/deepgen/evaluate/schedule.cpp)
list(FILTER DEEPGEN_TORCH_SOURCES EXCLUDE REGEX "models/catalog.cpp$|train/(settings|findings).cpp$|evaluate/schedule.cpp$")
