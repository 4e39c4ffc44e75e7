"""What `rmlr-prepare` prints: findings as they are made, and one line if something is wrong."""

from collections.abc import Sequence

from rmlr_lightning.errors import UserError, counted, printable

SHOWN = 3  # names per finding


class Report:
    """Lines for the user. Problems are what training or evaluation would stumble on."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.way_out = ""  # what the user can do about them, if it is known

    def line(self, text: str) -> None:
        """Print a finding that needs nothing to be done."""
        print(printable(text))

    def names(self, what: str, names: Sequence[str], is_problem: bool = True) -> None:
        """Print how many images have a finding, with the first few; nothing if none has."""
        if not names:
            return
        more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
        found = f"{counted(len(names), 'image')} {what}"
        self.line(f"  {found}: {', '.join(names[:SHOWN])}{more}")
        if is_problem:
            self.problems.append(found)

    # A problem does not end the check: a user wants to see all of them at once.
    def problem(self, text: str) -> None:
        """Print and keep a problem."""
        self.line(f"  {text}")
        self.problems.append(text)

    def finish(self, name: str) -> None:
        """End a check.

        Raises:
            UserError: there were problems; one line with the first of them and the way out.
        """
        if self.problems:
            more = f" (and {len(self.problems) - 1} more, see above)" if self.problems[1:] else ""
            way_out = f"; {self.way_out}" if self.way_out else ""
            raise UserError(f"{name}: {self.problems[0]}{more}{way_out}")
        self.line(f"{name}: complete")
