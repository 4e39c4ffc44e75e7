"""Opening an annotation file, and errors about it that fit in one line."""

import json
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from rmlr_lightning.errors import UserError
from rmlr_lightning.files import gunzip

_NOUNS = {dict: "an object", list: "a list", str: "a string"}


class AnnotationError(UserError, ValueError):
    """An annotation file that is missing, broken or contradicts itself."""


class AnnotationFile(NamedTuple):
    """A file on disk with what its error messages need."""

    path: Path
    expected: str  # the layouts that would be valid
    hint: str  # where to get such a file

    def error(self, problem: str) -> AnnotationError:
        """The exception to raise; its message is one line, whatever the file holds."""
        # errors of other libraries have line breaks; a path may have two spaces in a row
        problem = " ".join(problem.split())
        return AnnotationError(f"{self.path}: {problem}; expected {self.expected}; {self.hint}")

    def read(self) -> bytes:
        """The content of the file; gzip is recognised by its first bytes and decompressed.

        Raises:
            AnnotationError: the file is missing, unreadable, empty or a truncated archive, or one
                that unpacks to very much.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            raise self.error("no such file") from None
        # ValueError: a null byte in the name
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise self.error(f"cannot be read ({reason})") from error

        # the first bytes of every gzip file; a name may end in .json or in .gz
        if content[:2] == b"\x1f\x8b":
            try:
                content = gunzip(content)
            except ValueError as error:
                raise self.error(str(error)) from error
        if not content.strip():
            raise self.error("the file is empty")
        return content

    def json(self, content: bytes | None = None) -> Any:
        """The file parsed as JSON; `content` if it has been read already.

        Raises:
            AnnotationError: as `read`, or not JSON.
        """
        content = self.read() if content is None else content
        try:
            return json.loads(content)
        # ValueError is also raised for bad UTF-8 and for integers of 5,000 digits
        except (ValueError, RecursionError) as error:
            raise self.error(f"broken or truncated JSON ({error})") from error

    def member(self, record: Any, key: str, kind: type, where: str = "the file") -> Any:
        """record[key], checked to exist and to be of its kind.

        Raises:
            AnnotationError: `record` is no object, has no such key, or a value of another kind.
        """
        if not isinstance(record, dict):
            raise self.error(f"{where} is {shown(record)}, not an object")
        if key not in record:
            raise self.error(f"{where} has no key {key!r}")
        if not isinstance(record[key], kind):
            raise self.error(f"{key!r} of {where} is {shown(record[key])}, not {_NOUNS[kind]}")
        return record[key]

    def names(self, record: Any, key: str, where: str = "the file") -> list[str]:
        """record[key], checked to be a list of distinct, non-empty strings.

        Raises:
            AnnotationError: it is not.
        """
        names = self.member(record, key, list, where)
        self.check_names(names, f"{key!r} of {where}")
        return names

    def check_names(self, names: list, what: str) -> None:
        """Raises `AnnotationError` unless `names` are distinct, non-empty strings."""
        for name in names:
            if not isinstance(name, str) or not name:
                raise self.error(f"{what} holds {shown(name)}, not a name")
        if len(set(names)) < len(names):
            repeated = next(name for name, count in Counter(names).items() if count > 1)
            raise self.error(f"{what} holds {shown(repeated)} twice")

    def other_layout(self, document: Any, dataset: str) -> AnnotationError:
        """The exception to raise where a parsed document has none of the known layouts."""
        problem = f"not a layout of {dataset} annotations: {shown(document)}"
        if isinstance(document, dict):
            problem += f" with keys {shown(', '.join(sorted(document)))}"
        return self.error(problem)


def shown(value: object) -> str:
    """A value as a message prints it: short, whatever the file holds."""
    if isinstance(value, (list, tuple, dict, bytes)):
        return f"a {type(value).__name__} of {len(value)}"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
