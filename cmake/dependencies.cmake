# Everything comes from the distribution's packages. Each library is linked by one folder only.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(LIBEVENT REQUIRED IMPORTED_TARGET libevent libevent_pthreads)
pkg_check_modules(NGHTTP2 REQUIRED IMPORTED_TARGET libnghttp2)
pkg_check_modules(PROTOBUFC REQUIRED IMPORTED_TARGET libprotobuf-c)
pkg_check_modules(OPENSSL REQUIRED IMPORTED_TARGET libcrypto)
pkg_check_modules(AVRO REQUIRED IMPORTED_TARGET avro-c)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
pkg_check_modules(RDKAFKA REQUIRED IMPORTED_TARGET rdkafka)
find_library(PD_ROCKSDB rocksdb REQUIRED)
# The allocator of the programs: an eighth of the CPU time of a workflow against glibc's. Sanitizers
# bring their own; without the package everything works, only slower.
find_library(PD_JEMALLOC jemalloc)
if(NOT PD_JEMALLOC OR PD_SANITIZE)
  set(PD_MALLOC "")
else()
  # Nothing refers to it before base/ does, which the linker sees later.
  set(PD_MALLOC -Wl,--push-state,--no-as-needed ${PD_JEMALLOC} -Wl,--pop-state)
endif()
