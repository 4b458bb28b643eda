# Our own code compiles without a warning; generated code does not take part. Temporal's deprecated
# fields are part of the API that we serve.
set(PD_WARNINGS -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes
    -Wpointer-arith -Wvla -Wwrite-strings -Wundef -Wno-unused-parameter
    -Wno-deprecated-declarations)
add_compile_definitions(_GNU_SOURCE)
add_compile_options(-fno-omit-frame-pointer -g)
if(PD_SANITIZE)
  add_compile_options(-fsanitize=${PD_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${PD_SANITIZE})
endif()
if(PD_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
