"""One source file as the rules see it: its lines, its code without comments and strings, its
functions, its includes. Nothing here knows a rule."""
import ast
import re
from dataclasses import dataclass, field
from functools import cached_property

_TOKEN = re.compile(r"""
    /\*.*?\*/ | //[^\n]* | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'
    """, re.X | re.S)
_NAME_OF_FUNCTION = re.compile(r"([A-Za-z_]\w*)\s*\((?:[^()]|\([^()]*\))*\)\s*$", re.S)


def _blank(match):
    """Keeps the lines, drops what is on them; a string stays a pair of quotes."""
    text = match.group()
    kept = "\n" * text.count("\n")
    return kept + '""' if text[0] == '"' else kept or " "


@dataclass
class Function:
    name: str
    line: int
    line_count: int
    is_static: bool


@dataclass
class Include:
    path: str
    line: int
    is_quoted: bool


@dataclass
class Source:
    path: str
    text: str
    lines: list = field(init=False)

    def __post_init__(self):
        self.lines = self.text.split("\n")
        if self.lines[-1] == "":
            self.lines.pop()

    @property
    def folder(self):
        return self.path.rpartition("/")[0]

    @property
    def top(self):
        return self.path.split("/")[0]

    @property
    def is_c(self):
        return self.path.endswith((".c", ".h"))

    @property
    def is_header(self):
        return self.path.endswith(".h")

    @property
    def is_python(self):
        return self.path.endswith(".py")

    @cached_property
    def code(self):
        """C without comments and contents of strings, on the same lines."""
        return _TOKEN.sub(_blank, self.text)

    @cached_property
    def words(self):
        return set(re.findall(r"\w+", self.code))

    @cached_property
    def includes(self):
        found = []
        for number, line in enumerate(self.lines, 1):
            match = re.match(r'\s*#\s*include\s+(["<])([^">]+)', line)
            if match:
                found.append(Include(match[2], number, match[1] == '"'))
        return found

    @cached_property
    def functions(self):
        return list(self._python_functions() if self.is_python else self._c_functions())

    def _python_functions(self):
        for node in ast.walk(ast.parse(self.text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield Function(node.name, node.lineno, node.end_lineno - node.lineno + 1, False)

    def _c_functions(self):
        """The formatter puts a function's braces into the first column, and nothing else's."""
        code = self.code.split("\n")
        begin = None
        for number, line in enumerate(code):
            if line.rstrip() == "{":
                begin = number
            elif line.startswith("}") and begin is not None:
                function = self._one_c_function(code, begin, number)
                if function:
                    yield function
                begin = None

    @staticmethod
    def _one_c_function(code, begin, end):
        first = begin
        while first > 0 and code[first - 1].strip() and code[first - 1][0] not in "#}":
            first -= 1
        head = "\n".join(code[first:begin])
        head = head[head.rfind(";") + 1:]
        match = _NAME_OF_FUNCTION.search(head)
        if not match:
            return None
        is_static = bool(re.search(r"\bstatic\b", head))
        return Function(match[1], first + 1, end - first + 1, is_static)
