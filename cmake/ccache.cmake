# Compile through ccache when it is installed.
find_program(PD_CCACHE ccache)
if(PD_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${PD_CCACHE})
endif()
