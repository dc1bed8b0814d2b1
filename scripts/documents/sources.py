"""What the reference documents read from the source itself: stable error codes, and where audit events are recorded."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from keyturn import errors
from keyturn.providers.azure.error_row import ErrorKind
from keyturn.providers.azure.errors import TABLE
from keyturn.providers.azure.federated_errors import IDENTITY_TABLE
from keyturn.web.server import admission

SOURCE = Path(errors.__file__).parent
CODE = re.compile(r"[a-z]+\.[a-z][a-z_]*")


class Unreadable(Exception):
    """The source says something in a way that these documents cannot follow. The text says where."""


@dataclass(frozen=True)
class Module:
    """One file of the source; every node of ``tree`` knows its ``parent``. ``calls`` are all in it."""

    name: str
    path: str
    tree: ast.Module
    calls: tuple[ast.Call, ...]

    def at(self, node: ast.AST) -> str:
        return f"{self.path}:{getattr(node, 'lineno', 0)}"


@cache
def modules() -> tuple[Module, ...]:
    """Return all modules of the product."""
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE.parent).with_suffix("").parts
        tree = ast.parse(path.read_text())
        nodes: list[ast.AST] = [tree]
        for node in nodes:  # which grows meanwhile
            for child in ast.iter_child_nodes(node):
                child.parent = node  # type: ignore[attr-defined]
                nodes.append(child)
        calls = tuple(node for node in nodes if isinstance(node, ast.Call))
        found.append(Module(".".join(parts).removesuffix(".__init__"), "/".join(parts) + ".py", tree, calls))
    return tuple(found)


def above(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what the node is part of, from the inside out."""
    while (parent := getattr(node, "parent", None)) is not None:
        yield parent
        node = parent


def function_name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)


def text_of(node: ast.expr | None, module: Module) -> str:
    """Return the text that an expression makes, with ``<name>`` for what is only known at run time."""
    if isinstance(node, ast.Constant):
        return str(node.value or "")
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part, module) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return text_of(node.value, module) or f"<{_hole(node.value)}>"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return text_of(node.left, module) + text_of(node.right, module)
    if isinstance(node, ast.IfExp):
        return f"{text_of(node.body, module)} / {text_of(node.orelse, module)}"
    if isinstance(node, ast.Name):
        home, value = _local_value(node, module) or _named_value(node.id, module)
        return text_of(value, home) if value is not None and not isinstance(value, ast.Name) else ""
    return ""


def _local_value(node: ast.Name, module: Module) -> tuple[Module, ast.expr] | None:
    """Return the one sentence that the function around it assigned to a name."""
    function = next((each for each in above(node) if isinstance(each, ast.FunctionDef)), None)
    for each in ast.walk(function) if function else ():
        if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == node.id:
            return (module, each.value) if isinstance(each.value, ast.JoinedStr) else None
    return None


def _named_value(name: str, module: Module) -> tuple[Module, ast.expr | None]:
    """Return the value of a constant of the module, or of the module that it is imported from."""
    for node in module.tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return module, node.value
        if isinstance(node, ast.ImportFrom) and name in {each.name for each in node.names}:
            home = next((each for each in modules() if each.name == node.module), None)
            return _named_value(name, home) if home else (module, None)
    return module, None


def _hole(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute | ast.Name):
        return (node.attr if isinstance(node, ast.Attribute) else node.id).strip("_").replace("_", " ").lower()
    if isinstance(node, ast.Call) and function_name(node) == "len":
        return "number"
    return "..."


# --- errors -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Code:
    """One way in which a stable code is raised. ``kind`` says how it is answered."""

    code: str
    kind: str
    message: str
    fix: str


def codes() -> list[Code]:
    """Return every stable code of the source with its kind, message and fix, as far as those are fixed. Sorted."""
    found = [one for module in modules() for one in (*_by_keyword(module), *_by_position(module))]
    rows = (*TABLE, *IDENTITY_TABLE)
    found += [Code(row.code, f"Upstream 400, {row.kind.value}", _named(row.cause), _named(row.fix)) for row in rows]
    best: dict[tuple[str, str], Code] = {}
    for one in sorted(found, key=lambda each: (each.code, not each.message, each.kind, each.message)):
        if one.message or not any(key[0] == one.code for key in best):
            best.setdefault((one.code, one.message), one)
    return sorted(best.values(), key=lambda each: (each.code, each.message))


def _by_keyword(module: Module) -> Iterator[Code]:
    for call in module.calls:
        given = {each.arg: each.value for each in call.keywords}
        code = given.get("code")
        if not isinstance(code, ast.Constant) or not CODE.fullmatch(str(code.value)):
            continue
        position = 2 if function_name(call) == "body_of" else 0
        message = given.get("message") or (call.args[position] if len(call.args) > position else None)
        text = text_of(message, module)
        yield Code(str(code.value), _kind(call, module), text, text_of(given.get("fix"), module))


def _by_position(module: Module) -> Iterator[Code]:
    """Faults of pasted fields and rows outside the table: the code is one of the arguments, message and fix follow it."""
    known = {code.partition(".")[0] for code in _keyword_codes()}
    for call in module.calls:
        if function_name(call) in _NO_ERRORS:
            continue
        for index, argument in enumerate(call.args):
            value = argument.value if isinstance(argument, ast.Constant) else None
            if isinstance(value, str) and CODE.fullmatch(value) and value.partition(".")[0] in known:
                texts = [text_of(each, module) for each in call.args[index + 1 : index + 3]] + ["", ""]
                yield Code(value, _kind(call, module), _named(texts[0]), _named(texts[1]))


@cache
def _keyword_codes() -> frozenset[str]:
    return frozenset(one.code for module in modules() for one in _by_keyword(module))


_NO_ERRORS = frozenset(
    {
        *("debug", "info", "warning", "error", "critical", "exception", "get_logger"),  # names of log lines look alike
        *("_sign_in", "_graph", "_by_status"),  # rows of the provider's table, which is read as a value
        "Setting",
    }
)


def _kind(call: ast.Call, module: Module) -> str:
    """Say how an error is answered: by its class, or by the class that the called helper raises."""
    name = function_name(call)
    if name == "__init__":
        name = _enclosing_error(call)
    if (described := _class(name)) is not None:
        return described
    if name in {"PasteFault", "_secret_fault"}:
        return "found in the form, before anything is sent"
    if name == "ErrorRow":
        given = [ast.unparse(each) for each in call.args]
        kind = next((member for member in ErrorKind if f"Kind.{member.name}" in given), None)
        return f"Upstream 400, {kind.value}" if kind else ""
    if name == "body_of":
        status, error = (text_of(each, module) for each in call.args[:2])
        return f"{error} {status}"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef) and node.name == name:
            inner = (_class(function_name(each)) for each in ast.walk(node) if isinstance(each, ast.Call))
            return next((each for each in inner if each), "")
    return ""


def _enclosing_error(node: ast.AST) -> str:
    """Return the error class, or its base, inside which a call of ``super().__init__`` stands."""
    found = next(each for each in above(node) if isinstance(each, ast.ClassDef))
    names = [found.name, *(ast.unparse(base) for base in found.bases)]
    return next((name for name in names if hasattr(errors, name)), found.name)


def _class(name: str) -> str | None:
    kind = getattr(errors, name, None) or getattr(admission, name, None)
    if not (isinstance(kind, type) and issubclass(kind, errors.KeyturnError)):
        return None
    if issubclass(kind, errors.Upstream):
        words = {"NeedsAction": "needs action", "NotYet": "not yet", "Unanswered": "retryable, outcome unknown"}
        return f"Upstream {kind.status}, {words.get(name, name.lower())}"
    return f"{kind.error} {kind.status}"


def _named(text: str) -> str:
    """Turn the holes of the provider's table, ``{app_id}``, into the form that these documents use."""
    return re.sub(r"\{(\w+)\}", lambda hole: f"<{hole[1].replace('_', ' ')}>", text)


def by_room(found: list[Code]) -> Mapping[str, list[Code]]:
    """Group codes by what stands before the dot."""
    rooms: dict[str, list[Code]] = {}
    for one in found:
        rooms.setdefault(one.code.partition(".")[0], []).append(one)
    return rooms


# --- audit events -----------------------------------------------------------------------------------------------------


def recorded_in() -> Mapping[str, list[str]]:
    """Return the files that record an event of the catalogue, by the name that it has there; whoever takes its ``name`` reads."""
    places: dict[str, list[str]] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        for constant in sorted(set(re.findall(r"\b(?:\w+_)?events\.([A-Z_]+)\b(?!\.name)", path.read_text()))):
            places.setdefault(constant, []).append(path.relative_to(SOURCE.parent).as_posix())
    return places
