"""The small changes of `tests.faults.mutants`."""

import ast
from collections.abc import Callable, Iterator

Mutation = tuple[int, str, Callable[[], None]]  # line, description, what makes the change

OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
NAMES = {
    "min": "max",
    "max": "min",
    "amin": "amax",
    "amax": "amin",
    "argmin": "argmax",
    "argmax": "argmin",
    "any": "all",
    "all": "any",
    "sum": "mean",
    "mean": "sum",
    "minimum": "maximum",
    "maximum": "minimum",
    "zeros": "ones",
    "ones": "zeros",
    "logical_and": "logical_or",
    "cumsum": "cumprod",
    "floor": "ceil",
}


def mutations(tree: ast.Module) -> Iterator[Mutation]:
    """All changes of a module, in the order of its code; a change is made by calling it."""
    for parent in _code(tree):
        for field, value in ast.iter_fields(parent):
            if field in ("annotation", "returns", "type_params", "decorator_list"):
                continue
            if isinstance(value, ast.AST):
                yield from _of_node(parent, field, value)
            elif isinstance(value, list):
                yield from _of_list(parent, field, value)


def _code(node: ast.AST) -> Iterator[ast.AST]:
    """Nodes that are run: neither annotations nor messages nor types."""
    if isinstance(node, (ast.Raise, ast.JoinedStr, ast.Import, ast.ImportFrom)):
        return
    yield node
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "type_params", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _code(child)


def _line(*nodes: ast.AST) -> int:
    return next((node.lineno for node in nodes if hasattr(node, "lineno")), 0)


def _of_node(parent: ast.AST, field: str, node: ast.AST) -> Iterator[Mutation]:
    line = _line(node, parent)

    def put(new: ast.AST) -> Callable[[], None]:
        return lambda: setattr(parent, field, new)

    if type(node) in OPERATORS and field == "op":
        new = OPERATORS[type(node)]()
        yield line, f"{type(node).__name__} -> {type(new).__name__}: {_text(parent)}", put(new)
    elif isinstance(node, ast.UnaryOp):
        yield line, f"without {type(node.op).__name__}: {_text(node)}", put(node.operand)
    elif isinstance(node, ast.Constant):
        for new in _other_constants(node.value):
            what = f"{node.value} -> {new}: {_text(parent)}"
            yield line, what, put(ast.copy_location(ast.Constant(new), node))
    if field == "test" and isinstance(parent, (ast.If, ast.IfExp, ast.While)):
        new = ast.copy_location(ast.UnaryOp(ast.Not(), node), node)
        yield line, f"if not: {_text(node)}", put(new)
    if field == "func":
        name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", None)
        if name in NAMES:
            key = "attr" if isinstance(node, ast.Attribute) else "id"

            def rename() -> None:
                setattr(node, key, NAMES[name])

            yield line, f"{name} -> {NAMES[name]}: {_text(parent)}", rename


def _of_list(parent: ast.AST, field: str, values: list) -> Iterator[Mutation]:
    for place, node in enumerate(values):
        if not isinstance(node, ast.AST):
            continue
        line = _line(node, parent)

        def put(new: ast.AST, place: int = place) -> Callable[[], None]:
            return lambda: values.__setitem__(place, new)

        if field == "ops" and type(node) in OPERATORS:
            new = OPERATORS[type(node)]()
            what = f"{type(node).__name__} -> {type(new).__name__}: {_text(parent)}"
            yield line, what, put(new)
        elif isinstance(node, ast.UnaryOp):
            yield line, f"without {type(node.op).__name__}: {_text(node)}", put(node.operand)
        elif isinstance(node, ast.Constant):
            for new in _other_constants(node.value):
                what = f"{node.value} -> {new}: {_text(parent)}"
                yield line, what, put(ast.copy_location(ast.Constant(new), node))
        elif field in ("body", "orelse") and _may_be_left_out(node):
            new = ast.copy_location(ast.Pass(), node)
            yield line, f"left out: {_text(node)}", put(new)


def _may_be_left_out(node: ast.AST) -> bool:
    is_call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    return is_call or isinstance(node, (ast.AugAssign, ast.Raise, ast.Continue, ast.Break))


def _other_constants(value: object) -> tuple:
    if isinstance(value, bool):
        return (not value,)
    if isinstance(value, int):
        return (value + 1,)
    if isinstance(value, float):
        return (2 * value if value else 1.0,)
    return ()


def _text(node: ast.AST) -> str:
    return " ".join(ast.unparse(node).split())[:90]
