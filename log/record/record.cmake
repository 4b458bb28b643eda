# pd_record, and what is generated around it: the names of oneofs (in), the .avsc files (out).
get_directory_property(PD_PROTO_DIR DIRECTORY ${PROJECT_SOURCE_DIR}/api DEFINITION PD_PROTO_DIR)
set(own_proto_dir ${PROJECT_SOURCE_DIR}/api/proto)
file(GLOB_RECURSE temporal_protos RELATIVE ${PD_PROTO_DIR}
     CONFIGURE_DEPENDS ${PD_PROTO_DIR}/*.proto)
file(GLOB_RECURSE own_protos RELATIVE ${own_proto_dir} CONFIGURE_DEPENDS ${own_proto_dir}/*.proto)
set(own_inputs ${own_protos})
list(TRANSFORM own_inputs PREPEND ${own_proto_dir}/)

set(record_dir ${CMAKE_CURRENT_LIST_DIR})
set(generated_dir ${CMAKE_BINARY_DIR}/record)
file(MAKE_DIRECTORY ${generated_dir} ${CMAKE_BINARY_DIR}/avsc)

pd_program(pd_oneof_names SOURCES ${record_dir}/tools/oneof_names_main.c LINK pd_base pd_proto)
add_custom_command(
  OUTPUT ${generated_dir}/oneof_names.c
  COMMAND ${PD_PROTOC} -I${own_proto_dir} -I${PD_PROTO_DIR} --include_imports
          --descriptor_set_out=${generated_dir}/all.protoset ${own_protos} ${temporal_protos}
  COMMAND pd_oneof_names ${generated_dir}/all.protoset ${generated_dir}/oneof_names.c
  DEPENDS ${own_inputs} pd_oneof_names
  COMMENT "names of oneofs"
  VERBATIM)

pd_program(pd_embed_schemas SOURCES ${record_dir}/tools/embed_main.c)
file(GLOB kept_schemas CONFIGURE_DEPENDS ${record_dir}/schemas/*.avsc)
add_custom_command(
  OUTPUT ${generated_dir}/kept_schemas.c
  COMMAND pd_embed_schemas ${generated_dir}/kept_schemas.c ${kept_schemas}
  DEPENDS ${kept_schemas} pd_embed_schemas
  COMMENT "kept schemas"
  VERBATIM)

pd_module(pd_record DIRS ${record_dir}
          LINK pd_base pd_pb pd_proto PkgConfig::AVRO PkgConfig::OPENSSL)
target_sources(pd_record PRIVATE ${generated_dir}/oneof_names.c ${generated_dir}/kept_schemas.c)

pd_program(pd_avsc_writer SOURCES ${record_dir}/tools/avsc_main.c LINK pd_record)
set(schemas Record Command Rejected Member)
list(TRANSFORM schemas PREPEND ${CMAKE_BINARY_DIR}/avsc/perdure.v1.)
list(TRANSFORM schemas APPEND .avsc)
add_custom_command(
  OUTPUT ${schemas}
  COMMAND pd_avsc_writer ${CMAKE_BINARY_DIR}/avsc
  DEPENDS pd_avsc_writer
  COMMENT "Avro schemas"
  VERBATIM)
add_custom_target(pd_avsc ALL DEPENDS ${schemas})

pd_program(pd_record_bench SOURCES ${record_dir}/tools/bench_main.c LINK pd_record)
