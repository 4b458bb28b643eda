# Temporal's .proto files are fetched at configure time (pinned by version and hash), our own lie in
# api/proto. protoc-c compiles both into one library, pd_proto, without our warning flags.
set(PD_PROTO_DIR ${PROJECT_SOURCE_DIR}/build/protos)
execute_process(COMMAND ${PROJECT_SOURCE_DIR}/scripts/get-protos ${PD_PROTO_DIR}
                COMMAND_ERROR_IS_FATAL ANY)
find_program(PD_PROTOC_C protoc-c REQUIRED)
find_program(PD_PROTOC protoc REQUIRED)

function(pd_proto_sources out_c root extra)
  file(GLOB_RECURSE protos RELATIVE ${root} CONFIGURE_DEPENDS ${root}/*.proto)
  set(generated "")
  set(inputs "")
  foreach(proto ${protos} ${extra})
    string(REGEX REPLACE "\\.proto$" ".pb-c.c" c ${proto})
    list(APPEND generated ${CMAKE_BINARY_DIR}/proto/${c})
    if(EXISTS ${root}/${proto})
      list(APPEND inputs ${root}/${proto})
    endif()
  endforeach()
  add_custom_command(
    OUTPUT ${generated}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/proto
    COMMAND ${PD_PROTOC_C} -I${root} -I${PD_PROTO_DIR} --c_out=${CMAKE_BINARY_DIR}/proto
            ${protos} ${extra}
    DEPENDS ${inputs}
    COMMENT "protoc-c ${root}"
    VERBATIM)
  set(${out_c} ${generated} PARENT_SCOPE)
endfunction()

# Not among Temporal's: it comes with protoc.
pd_proto_sources(PD_TEMPORAL_C ${PD_PROTO_DIR} google/protobuf/field_mask.proto)
pd_proto_sources(PD_OWN_C ${PROJECT_SOURCE_DIR}/api/proto "")
add_library(pd_proto STATIC ${PD_TEMPORAL_C} ${PD_OWN_C})
target_include_directories(pd_proto SYSTEM PUBLIC ${CMAKE_BINARY_DIR}/proto)
target_compile_options(pd_proto PRIVATE -w)
target_link_libraries(pd_proto PUBLIC PkgConfig::PROTOBUFC)

# The descriptors, for server reflection.
set(PD_DESCRIPTOR_SET ${CMAKE_BINARY_DIR}/temporal.protoset)
file(GLOB_RECURSE protos RELATIVE ${PD_PROTO_DIR} CONFIGURE_DEPENDS ${PD_PROTO_DIR}/*.proto)
add_custom_command(
  OUTPUT ${PD_DESCRIPTOR_SET}
  COMMAND ${PD_PROTOC} -I${PD_PROTO_DIR} --include_imports --descriptor_set_out=${PD_DESCRIPTOR_SET}
          ${protos}
  COMMENT "protoc descriptor set"
  VERBATIM)
add_custom_target(pd_descriptor_set DEPENDS ${PD_DESCRIPTOR_SET})
