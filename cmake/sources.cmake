# The two tiers. A file may include torch only if its folder is in the second list.
file(GLOB DEEPGEN_CORE_SOURCES CONFIGURE_DEPENDS
  deepgen/core/*.cpp deepgen/kernels/*.cpp deepgen/data/files/*.cpp deepgen/data/generated/*.cpp
  deepgen/cli/*.cpp)
list(FILTER DEEPGEN_CORE_SOURCES EXCLUDE REGEX "cli/main.cpp$")
file(GLOB DEEPGEN_TORCH_SOURCES CONFIGURE_DEPENDS
  deepgen/ops/*.cpp deepgen/data/*.cpp deepgen/parts/*/*.cpp deepgen/model/*.cpp deepgen/models/*.cpp
  deepgen/models/*/*.cpp deepgen/train/*.cpp deepgen/tasks/*.cpp deepgen/evaluate/*.cpp deepgen/evaluate/*/*.cpp
  deepgen/runs/*.cpp
  deepgen/cli/commands/*.cpp)
# Torch-free although their folders are not: the command's front needs them.
set(DEEPGEN_LIGHT_SOURCES deepgen/models/catalogue.cpp deepgen/train/settings.cpp deepgen/evaluate/schedule.cpp
  deepgen/runs/findings.cpp deepgen/runs/search_record.cpp deepgen/runs/search_report.cpp
  deepgen/runs/search_space.cpp deepgen/runs/search_time.cpp)
foreach(source IN LISTS DEEPGEN_LIGHT_SOURCES)
  list(APPEND DEEPGEN_CORE_SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/${source})
  list(REMOVE_ITEM DEEPGEN_TORCH_SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/${source})
endforeach()
