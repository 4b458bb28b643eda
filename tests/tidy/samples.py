"""Each rule on tiny trees: once where it must find something, once where it must not."""
import rules

_OK_HEADER = "/* x.h -- x. */\n#ifndef PD_BASE_X_H\n#define PD_BASE_X_H\nvoid pd_x(void);\n#endif\n"
_LONG = "    " + "word " * 20 + "end\n"
_BODY = "    f();\n" * 69


def _c(body, path="base/x.c"):
    return {path: body}


# rule, whether it finds something, files
SAMPLES = [
    ("columns", True, {"base/x.c": _LONG}),
    ("columns", False, {"base/x.c": "    " + "w" * 110 + ";\n"}),
    ("columns", True, {"scripts/x": _LONG}),
    ("columns", False, {"docs/x.md": _LONG}),
    ("whitespace", True, _c("int x; \n")),
    ("whitespace", True, _c("\tint x;\n")),
    ("whitespace", True, _c("int x;")),
    ("whitespace", False, _c("int x;\n")),
    ("unfinished", True, _c("/* TO" "DO: more */\n")),
    ("unfinished", False, _c('char name[] = "/dir-XX' 'XXXX";\n')),
    ("machine_paths", True, _c('open("/tm' 'p/x");\n')),
    ("machine_paths", False, _c('open("/tm' 'p/x");\n', "tests/unit/x.c")),
    ("private_pages", True, _c("/* see DESIGN" " §3 */\n")),
    ("private_pages", False, _c("/* see docs/architecture.md */\n")),
    ("file_length", True, _c("int x;\n" * 601)),
    ("file_length", False, _c("int x;\n" * 600)),
    ("function_length", True, _c("static void f(void)\n{\n" + _BODY + "}\n")),
    ("function_length", False, _c("static void f(void)\n{\n" + _BODY[:-18] + "}\n")),
    ("function_length", True, {"tests/x.py": "def f():\n" + "    pass\n" * 70}),
    ("banned_calls", True, _c("void *p = malloc(1);\n")),
    ("banned_calls", True, _c("strcat(a, b);\n", "tests/unit/x.c")),
    ("banned_calls", False, _c("void *p = malloc(1);\n", "base/memory.c")),
    ("banned_calls", False, _c("/* malloc(1) */ pd_free(p); ops->free(p);\n")),
    ("third_party", True, _c("#include <rocksdb/c.h>\n", "engine/x.c")),
    ("third_party", True, _c("#include <event2/event.h>\n", "log/log.c")),
    ("third_party", False, _c("#include <rocksdb/c.h>\n", "state/tables/x.c")),
    ("include_direction", True, _c('#include "engine/call.h"\n', "state/x.c")),
    ("include_direction", True, _c('#include "engine/call.h"\n', "cli/x.c")),
    ("include_direction", True, _c('#include "log/embedded/embedded.h"\n', "engine/node/x.c")),
    ("include_direction", True, _c('#include "engine/node/node.h"\n', "engine/decide/x.c")),
    ("include_direction", False, _c('#include "base/loop.h"\n', "engine/x.c")),
    ("include_direction", False, _c('#include "log/embedded/embedded.h"\n', "engine/program/x.c")),
    ("own_header_first", True,
     {"base/x.c": '#include <stdio.h>\n#include "base/x.h"\n', "base/x.h": _OK_HEADER}),
    ("own_header_first", False, {"base/x.c": '#include "base/x.h"\n', "base/x.h": _OK_HEADER}),
    ("header_guard", True, {"base/x.h": "/* x */\n#pragma once\n"}),
    ("header_guard", False, {"base/x.h": _OK_HEADER}),
    ("header_guards_differ", True, {"base/x.h": _OK_HEADER, "api/x.h": _OK_HEADER}),
    ("header_purpose", True, {"base/x.h": "#ifndef PD_BASE_X_H\n"}),
    ("header_purpose", False, {"base/x.h": _OK_HEADER}),
    ("symbol_names", True, _c("void helper(void)\n{\n}\n")),
    ("symbol_names", False, _c("static void helper(int (*f)(int),\n    int x)\n{\n}\n")),
    ("include_paths", True, _c('#include "x.h"\n')),
    ("include_paths", False, {"base/x.c": '#include "base/x.h"\n', "base/x.h": _OK_HEADER}),
    ("readmes", True, _c("int x;\n")),
    ("readmes", False, {"base/x.c": "int x;\n", "base/README.md": "# base\n"}),
    ("readmes", False, {"log/record/tools/x.c": "int x;\n", "log/record/README.md": "`tools/`\n"}),
    ("dead_files", True, _c("int x;\n")),
    ("dead_files", True, {"base/x.h": _OK_HEADER}),
    ("dead_files", False, {"tests/x.c": "int x;\n", "tests/CMakeLists.txt": "pd_test(x x.c)\n"}),
    ("dead_files", False,
     {"log/memory/x.c": "int x;\n", "log/CMakeLists.txt": "pd_module(m DIRS ${here}/memory)\n"}),
    ("private_symbols", True,
     {"log/memory/x.c": "void pdi_x(void)\n{\n}\n", "engine/y.c": "a = pdi_x();\n"}),
    ("private_symbols", True, _c("void pd_x(void)\n{\n}\n")),
    ("private_symbols", False,
     {"base/x.c": "void pd_x(void)\n{\n}\n", "engine/y.c": "a = pd_x();\n"}),
]


def check(make_tree):
    """What is wrong with the rules themselves."""
    problems = []
    seen = set()
    for number, (rule, must_find, texts) in enumerate(SAMPLES):
        tree = make_tree(texts)
        found = list(rules.check_tree(tree))
        for source in tree.sources:
            found += rules.check_file(source)
        if must_find != any(name == rule for _, _, name, _ in found):
            problems.append(f"tests/tidy/samples.py:1: {rule}: sample {number} "
                            + ("is not found" if must_find else "is found wrongly"))
        if must_find:
            seen.add(rule)
    for rule in rules.ANY_FILE + rules.CODE_FILE + rules.C_FILE + rules.TREE:
        if rule.__name__ not in seen:
            problems.append(f"tests/tidy/samples.py:1: {rule.__name__}: no sample makes it fail")
    return problems
