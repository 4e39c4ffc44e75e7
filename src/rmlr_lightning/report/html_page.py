"""A report as one HTML page that needs no other file and no network."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from rmlr_lightning.errors import counted
from rmlr_lightning.report.percent import percent

TEMPLATES = Path(__file__).parent / "templates"


def html_page(
    template: str,
    content: Mapping[str, Any],
    title: str,
    subtitle: str,
    sections: Sequence[tuple[str, str]],
    argv: Sequence[str],
    left_out: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> bytes:
    """Fill a template. All text is escaped, whatever it is.

    Args:
        template: "run.html", "comparison.html" or "sweep.html".
        content: its variables.
        title: heading.
        subtitle: one line below it.
        sections: (id, name) for the links at the top.
        argv: the arguments of rmlr-report that make this page.
        left_out: sentences about runs that are not counted, for the place below the verdict.
        notes: sentences for the end of the page.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.globals["percent"] = percent
    environment.filters["counted"] = counted
    command = f"rmlr-report {shlex.join(word for word in argv if word != '--overwrite')}"
    page = environment.get_template(template).render(
        content,
        title=title,
        subtitle=subtitle,
        sections=sections,
        command=command,
        left_out=left_out,
        notes=notes,
    )
    # halves of surrogate pairs, which names of files may hold, have no place in UTF-8
    return page.encode("utf-8", errors="replace")
