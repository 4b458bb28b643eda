#!/usr/bin/env python3
"""The house rules as a test: what no compiler checks. Prints "file:line: rule: what to do".

First it checks itself: every rule must be able to fail (samples.py). The rules are in rules.py,
the few exceptions with their reasons in tidy_exceptions.py. `tidy.py --rules` lists the rules.
"""
import os
import re
import subprocess
import sys

import rules
import samples
from source import Source

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TEXT = (".c", ".h", ".py", ".md", ".proto", ".cmake", "CMakeLists.txt", "requirements.txt",
        "packages.txt", ".json", ".yml", ".go", ".mod")
DATA = re.compile(r"\.avsc$|^log/record/schemas/|^tests/.*/(golden|saved|reference)/")


class Tree:
    """All sources; texts of everything else by path."""

    def __init__(self, texts):
        self.texts = texts
        self.paths = set(texts)
        self.sources = [Source(path, text) for path, text in texts.items()]
        self.c_files = [source for source in self.sources if source.is_c]
        self._cmake = {path: text for path, text in texts.items()
                       if path.endswith(("CMakeLists.txt", ".cmake"))}
        self._users = {}
        for source in self.c_files:
            source.has_own_header = source.path[:-1] + "h" in self.paths
            for word in source.words:
                self._users.setdefault(word, []).append(source)

    def users(self, name):
        return self._users.get(name, [])

    def builds(self, folder, name):
        """A CMake file beside or above names the file, or takes all of its folder."""
        last = folder.rpartition("/")[2]
        for path, text in self._cmake.items():
            at = path.rpartition("/")[0]
            if re.search(rf"\b{re.escape(name)}\b", text):
                yield path
            elif (folder + "/").startswith(at + "/") and at:
                inner = folder[len(at) + 1:]
                wanted = [rf"\}}/{inner}(?![\w/])", rf"\}}/{last}/\*\.c"] if inner else [
                    r"DIRS \$\{\w+\}(?![\w/])", r"CURRENT_SOURCE_DIR\}/\*\.c"]
                if any(re.search(pattern, text) for pattern in wanted):
                    yield path


def read_tree():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True,
                            stdout=subprocess.PIPE, text=True).stdout
    texts = {}
    for path in listed.split("\0"):
        full = os.path.join(ROOT, path)
        is_text = path.endswith(TEXT) or path.startswith(("scripts/", ".ci/"))
        if path and is_text and not DATA.search(path) and os.path.isfile(full):
            with open(full, encoding="utf-8") as file:
                texts[path] = file.read()
    return Tree(texts)


def main():
    all_rules = rules.ANY_FILE + rules.CODE_FILE + rules.C_FILE + rules.TREE
    if "--rules" in sys.argv:
        print("\n".join(rule.__name__ for rule in all_rules))
        return 0
    problems = samples.check(Tree)
    if problems:
        print("\n".join(problems))
    tree = read_tree()
    found = list(rules.check_tree(tree))
    for source in tree.sources:
        found += rules.check_file(source)
    for path, line, rule, what in sorted(found):
        print(f"{path}:{line}: {rule}: {what}")
    broken = {rule for _, _, rule, _ in found}
    passed = len(all_rules) - len(broken) + len(samples.SAMPLES) - len(problems)
    failed = len(broken) + len(problems)
    if found:
        print(f"{len(found)} places in {len({path for path, *_ in found})} files")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
