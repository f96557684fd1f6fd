# cmake --install: the program, the versioned library, its headers, a CMake package and a pkg-config file.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set_target_properties(deepgen_library PROPERTIES
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR} EXPORT_NAME deepgen)
set_target_properties(deepgen_command PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")

install(TARGETS deepgen_library deepgen_command EXPORT deepgen-targets
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY deepgen DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h"
  PATTERN "cli" EXCLUDE)

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/deepgen)
install(EXPORT deepgen-targets NAMESPACE deepgen:: DESTINATION ${package})
configure_package_config_file(cmake/deepgen-config.cmake.in ${CMAKE_BINARY_DIR}/deepgen-config.cmake
  INSTALL_DESTINATION ${package})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/deepgen-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/deepgen-config.cmake ${CMAKE_BINARY_DIR}/deepgen-config-version.cmake
  DESTINATION ${package})

install(DIRECTORY recipes DESTINATION ${CMAKE_INSTALL_DATADIR}/deepgen)

# The compiler's own folders must not be named again: -isystem /usr/include breaks its order.
set(torch_includes ${TORCH_INCLUDE_DIRS})
list(REMOVE_ITEM torch_includes ${CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES})
list(TRANSFORM torch_includes PREPEND "-isystem ")
file(RELATIVE_PATH DEEPGEN_PREFIX_FROM_PC ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
list(JOIN torch_includes " " DEEPGEN_TORCH_CFLAGS)
set(DEEPGEN_TORCH_LIBS "-ltorch -ltorch_cpu -lc10")
configure_file(cmake/deepgen.pc.in ${CMAKE_BINARY_DIR}/deepgen.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/deepgen.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
