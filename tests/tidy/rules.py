"""The house rules. Each yields (path, line, what to do); `RULES` at the end names them all.

A rule of one file takes a Source; a rule of the tree takes a Tree. When a rule is wrong for one
place, put the place with its reason into EXCEPTIONS; when it is wrong, change it, here and in
samples.py. """

import re

from tidy_exceptions import EXCEPTIONS

COLUMNS_MAX = 100
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 600

# Each folder may include those before it. Folders of the same rank do not see each other.
RANK = {"base": 0, "api": 1, "log": 2, "state": 3, "engine": 4,
        "cli": 5, "web": 5, "workers": 5, "bench": 6, "tests": 7}
CLIENT_FOLDERS = ("cli", "web", "workers")  # these know base and api only
ENGINE_RANK = {"engine": 0, "engine/decide": 1, "engine/matching": 1, "engine/transport": 1,
               "engine/ingest": 1, "engine/cluster": 1, "engine/partition": 2,
               "engine/frontend": 2, "engine/node": 3, "engine/frontend_grpc": 4,
               "engine/forward": 4, "engine/forward_grpc": 5, "engine/program": 6}
BACKENDS = ("log/embedded/", "log/memory/", "log/kafka/")

# Who may include a third-party header. Tests and benches may include any.
THIRD_PARTY = {
    "rocksdb/": ("log/embedded", "state"),
    "avro": ("log/record",),
    "jansson.h": ("log/record", "state", "engine/program", "engine/ingest"),
    "openssl/": ("log/record", "state"),
    "nghttp2/": ("api/grpc",),
    "zlib.h": ("api/grpc",),
    "event2/": ("base", "api/grpc", "engine/program"),
    "librdkafka/": ("log/kafka",),
    "sqlite3.h": ("state/visibility",),
    "cmocka.h": (),
}

_MEMORY = "base/memory.c"
_BOUNDED = "snprintf, pd_buf_* or pd_arena_* (they know the size)"
# name: (replacement, path prefixes that may call it, do tests and benches have to obey)
BANNED = {
    "malloc": ("pd_alloc", (_MEMORY,), False),
    "calloc": ("pd_calloc or PD_NEW", (_MEMORY,), False),
    "realloc": ("pd_realloc", (_MEMORY,), False),
    "free": ("pd_free", (_MEMORY,), False),
    "strdup": ("pd_strdup", (_MEMORY,), False),
    "strndup": ("pd_arena_strndup or pd_memdup", (_MEMORY,), False),
    "asprintf": (_BOUNDED, (), True),
    "time": ("pd_loop_now_ns or a time that comes in as an argument", ("base/os_",), False),
    "gettimeofday": ("pd_loop_now_ns", ("base/os_",), True),
    "clock_gettime": ("pd_loop_now_ns, or base/os_clock.h where there is no loop",
                      ("base/os_", "log/record/tools/"), False),
    "localtime": ("engine/decide/timezone.h", (), True),
    "rand": ("pd_random_* with a seed that comes in", ("base/os_",), True),
    "random": ("pd_random_* with a seed that comes in", ("base/os_",), True),
    "srand": ("pd_random_init", (), True),
    "getrandom": ("pd_os_entropy, where a program begins", ("base/os_",), True),
    "strcpy": (_BOUNDED, (), True),
    "strcat": (_BOUNDED, (), True),
    "strncpy": (_BOUNDED, (), True),
    "strncat": (_BOUNDED, (), True),
    "sprintf": (_BOUNDED, (), True),
    "vsprintf": (_BOUNDED, (), True),
    "gets": ("fgets", (), True),
    "scanf": ("strtol and a check of the whole text", (), True),
    "sscanf": ("strtol and a check of the whole text", (), False),
    "strtok": ("strcspn, or pd_bytes_t", (), True),
    "atoi": ("strtol and a check of the whole text", ("log/record/tools/",), False),
    "atol": ("strtol and a check of the whole text", ("log/record/tools/",), False),
    "atof": ("strtod and a check of the whole text", ("log/record/tools/",), False),
    "alloca": ("an arena", (), True),
    "setjmp": ("pd_status_t", (), False),
    "longjmp": ("pd_status_t", (), True),
    "system": ("posix_spawn", (), False),
    "sleep": ("a timer of the loop", (), False),
    "usleep": ("a timer of the loop", (), False),
    "assert": ("PD_ASSERT: it stays on in production", (), True),
}
_CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
_MACHINE_PATH = re.compile(r"(?<![\w.}$-])/(work|tmp|home|root|opt)/")
_PRIVATE_PAGE = re.compile(r"\b(DESIGN|STYLE|FACTS)(\.md\b| ?§)")
_UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")


def _module(path):
    """The folder inside which pdi_ names may be used."""
    parts = path.split("/")[:-1]
    return "/".join(parts[:1] if parts[0] in ("base", "state") else parts[:2])


def _is_test(path):
    return path.startswith(("tests/", "bench/"))


# ---- rules of one file ----

def columns(source):
    if source.path.endswith(".md"):
        return  # prose and tables
    for number, line in enumerate(source.lines, 1):
        if len(line) > COLUMNS_MAX and len(line.split()) > 1:
            words = max(len(word) for word in line.split())
            if words <= COLUMNS_MAX - 20:
                yield number, f"{len(line)} columns: break the line at {COLUMNS_MAX}"


def whitespace(source):
    for number, line in enumerate(source.lines, 1):
        if line != line.rstrip():
            yield number, "white space at the end: remove it"
        if "\t" in line and not source.path.endswith((".go", ".mod")):  # gofmt's way
            yield number, "a tab: use spaces"
    if source.text and not source.text.endswith("\n"):
        yield len(source.lines), "no newline at the end of the file: add one"


def file_length(source):
    if len(source.lines) > FILE_LINES_MAX and (source.is_c or source.is_python):
        yield 1, (f"{len(source.lines)} lines: split the file along a seam "
                  f"(at most {FILE_LINES_MAX})")


def function_length(source):
    for function in source.functions:
        if function.line_count > FUNCTION_LINES_MAX:
            yield function.line, (f"{function.name} has {function.line_count} lines: split it "
                                  f"(at most {FUNCTION_LINES_MAX})")


def unfinished(source):
    for number, line in enumerate(source.lines, 1):
        match = _UNFINISHED.search(line)
        if match:
            yield number, f"{match[0]}: do it, or open an issue"


def machine_paths(source):
    if _is_test(source.path) or source.path.startswith("scripts/"):
        return
    for number, line in enumerate(source.lines, 1):
        match = _MACHINE_PATH.search(line)
        if match:
            yield number, f"{match[0]} is a path of some machine: let it come in as an argument"


def private_pages(source):
    for number, line in enumerate(source.lines, 1):
        match = _PRIVATE_PAGE.search(line)
        if match:
            yield number, f"{match[0]} is not in this repository: say it here, or point into docs/"


# ---- rules of one C file ----

def banned_calls(source):
    for number, line in enumerate(source.code.split("\n"), 1):
        for match in _CALL.finditer(line):
            replacement, allowed, for_tests = BANNED[match[1]]
            if (_is_test(source.path) and not for_tests) or source.path.startswith(allowed or "-"):
                continue
            yield number, f"{match[1]}() is banned: use {replacement}"


def third_party(source):
    if _is_test(source.path):
        return
    for include in source.includes:
        for prefix, folders in THIRD_PARTY.items():
            if include.path.startswith(prefix) and not any(
                    source.folder == folder or source.folder.startswith(folder + "/")
                    for folder in folders):
                yield include.line, (
                    f"{include.path} may be included in {', '.join(folders)} only: "
                    "go through that folder's header"
                )


def include_direction(source):
    for include in source.includes:
        if not include.is_quoted:
            continue
        target = include.path.split("/")[0]
        if target not in RANK or source.top not in RANK:
            continue
        if source.top in CLIENT_FOLDERS and target not in ("base", "api", source.top):
            yield include.line, f"{source.top}/ knows base/ and api/ only, not {include.path}"
        elif target != source.top and RANK[target] >= RANK[source.top]:
            yield include.line, f"{source.top}/ may not include {include.path}: dependencies go up"
        if (include.path.startswith(BACKENDS) and not _is_test(source.path)
                and source.folder != "engine/program"
                and not include.path.startswith(source.folder + "/")):
            yield include.line, "only engine/program names a backend of the log: use log/log.h"
        if source.top == "engine" == target:
            mine, theirs = ENGINE_RANK.get(_module(source.path)), ENGINE_RANK.get(
                _module(include.path))
            if mine is None or theirs is None:
                yield include.line, "a new folder of engine/: give it a place in ENGINE_RANK"
            elif _module(source.path) != _module(include.path) and theirs >= mine:
                if (_module(source.path), include.path) not in ENGINE_DOORS:
                    yield include.line, (f"{_module(source.path)} may not include {include.path}: "
                                         "see ENGINE_RANK in tests/tidy/rules.py")


# Headers by which folders of engine/ know one another against the order, and why.
ENGINE_DOORS = {
    # The `applied` hook of a task that was started hands it to the poller that it was started for.
    ("engine/decide", "engine/partition/partition.h"),
    ("engine/decide", "engine/matching/matching.h"),
    # A match asks the task's partition to start it.
    ("engine/matching", "engine/partition/partition.h"),
}


def own_header_first(source):
    if source.is_header or not source.includes or not source.has_own_header:
        return
    if source.top == "tests":
        return  # cmocka.h wants others before it
    own, first = source.path[:-1] + "h", source.includes[0].path
    if first != own and not (first.endswith("_private.h") and first.startswith(source.folder)):
        yield source.includes[0].line, f'include "{own}" first: it must stand on its own'


def header_guard(source):
    if not source.is_header:
        return
    name = source.path.rpartition("/")[2]
    last_word = re.split(r"_|\W", name)[-2].upper()
    if not re.search(rf"^#ifndef (PD_\w*{last_word}_H)\n#define \1\n", source.text, re.M):
        guard = "PD_" + re.sub(r"\W", "_", source.path).upper()
        yield 1, f"no include guard like {guard}: add it"


def header_purpose(source):
    if source.is_header and not source.text.startswith("/* "):
        yield 1, "begin with a comment: what it is for, which thread, who owns what"


def symbol_names(source):
    if source.is_header or _is_test(source.path) or "/tools/" in source.path:
        return
    for function in source.functions:
        name = function.name
        is_macro = name.isupper()
        if not (function.is_static or is_macro or name == "main"
                or name.startswith(("pd_", "pdi_"))):
            yield function.line, f"{name} is visible everywhere: make it static, pd_ or pdi_"


# ---- rules of the tree ----

def include_paths(tree):
    for source in tree.c_files:
        for include in source.includes:
            if include.is_quoted and include.path not in tree.paths:
                yield source.path, include.line, (f"{include.path} does not exist: write the path "
                                                  "from the root; generated headers go in <>")


def header_guards_differ(tree):
    seen = {}
    for source in tree.c_files:
        match = re.search(r"^#ifndef (PD_\w+_H)$", source.text, re.M) if source.is_header else None
        if match and seen.setdefault(match[1], source.path) != source.path:
            yield source.path, 1, f"{seen[match[1]]} has the same include guard: rename it"


def readmes(tree):
    folders = {source.folder for source in tree.sources if source.is_c or source.is_python}
    for folder in sorted(folders - {""}):
        parent, _, name = folder.rpartition("/")
        above = tree.texts.get(f"{parent}/README.md", "")
        if f"{folder}/README.md" not in tree.texts and f"`{name}/" not in above:
            yield folder, 1, f"no README.md: write one, or tell of it as `{name}/` in the one above"


def dead_files(tree):
    included = {include.path for source in tree.c_files for include in source.includes}
    for source in tree.c_files:
        name = source.path.rpartition("/")[2]
        if source.is_header:
            if source.path not in included:
                yield source.path, 1, "no file includes this header: remove it"
        elif not any(tree.builds(source.folder, name)):
            yield source.path, 1, "no CMakeLists.txt builds this file: add or remove it"


def private_symbols(tree):
    """pdi_ names stay inside their module and are there for other files; pd_ names are used."""
    for source in tree.c_files:
        if source.is_header or _is_test(source.path) or "/tools/" in source.path:
            continue
        for function in source.functions:
            if function.is_static or function.name == "main":
                continue
            users = [other for other in tree.users(function.name) if other.path != source.path]
            if function.name.startswith("pdi_"):
                for user in users:
                    if _module(user.path) != _module(source.path) and not _is_test(user.path):
                        yield user.path, 1, (
                            f"{function.name} is private to "
                            f"{_module(source.path)}: make it pd_, or go another way"
                        )
            word = re.compile(rf"\b{function.name}\b")
            used_here = len(word.findall(source.code)) > 1
            if function.name.startswith("pd_") and used_here:
                continue
            if all(user.is_header and len(word.findall(user.code)) < 2 for user in users):
                yield source.path, function.line, (
                    f"nobody else uses {function.name}: "
                    + ("make it static" if used_here else "remove it"))


ANY_FILE = [columns, whitespace, unfinished, machine_paths, private_pages]
CODE_FILE = [file_length, function_length]
C_FILE = [banned_calls, third_party, include_direction, own_header_first, header_guard,
          header_purpose, symbol_names]
TREE = [include_paths, header_guards_differ, readmes, dead_files, private_symbols]


def check_file(source):
    """All (path, line, rule, what to do) of one file."""
    rules = list(ANY_FILE)
    if source.is_c or source.is_python:
        rules += CODE_FILE
    if source.is_c:
        rules += C_FILE
    for rule in rules:
        if (rule.__name__, source.path) in EXCEPTIONS:
            continue
        for line, what in rule(source):
            yield source.path, line, rule.__name__, what


def check_tree(tree):
    for rule in TREE:
        for path, line, what in rule(tree):
            if (rule.__name__, path) not in EXCEPTIONS:
                yield path, line, rule.__name__, what
