# Sources compiled several at a time. A unit that includes torch spends 3 to 5 s on the templates that torch's
# headers leave pending, whatever it contains, so one compilation of a folder's files costs little more than one file's.
# A file must stand by itself all the same: `cmake -DDEEPGEN_GROUPED=OFF` compiles each alone.
option(DEEPGEN_GROUPED "Compile the files of a folder together" ON)

# Groups by folder, of at most `most` files each; files that match a further argument stay alone.
function(deepgen_group_units target most)
  if(NOT DEEPGEN_GROUPED)
    return()
  endif()
  get_target_property(sources ${target} SOURCES)
  foreach(pattern IN LISTS ARGN)
    list(FILTER sources EXCLUDE REGEX ${pattern})
  endforeach()
  set(last "")
  foreach(source IN LISTS sources)
    cmake_path(GET source PARENT_PATH folder)
    if(NOT folder STREQUAL last)
      set(last ${folder})
      set(count 0)
    endif()
    math(EXPR part "${count} / ${most}")
    math(EXPR count "${count} + 1")
    file(RELATIVE_PATH name ${CMAKE_SOURCE_DIR} ${folder})
    string(REPLACE "/" "_" name "${name}_${part}")
    set_source_files_properties(${source} TARGET_DIRECTORY ${target} PROPERTIES UNITY_GROUP ${name})
  endforeach()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
endfunction()
