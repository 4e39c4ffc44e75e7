"""rmlr-demo: a page in the browser that detects the interactions of an image of yours."""

from collections.abc import Sequence

from rmlr_lightning.hub import SHIPPED
from rmlr_lightning.runs.command_line import CommandLine, file_arguments
from rmlr_lightning.runs.user_errors import one_line_errors


def parser() -> CommandLine:
    """The command line."""
    command_line = CommandLine(
        prog="rmlr-demo",
        description="A page in the browser: choose an image, see its human-object interactions. "
        "Needs rmlr-lightning[demo]. Only this machine can open it.",
    )
    add = command_line.add_argument
    add(
        "--checkpoint",
        default=SHIPPED,
        metavar="CKPT|FOLDER|ID",
        help="a checkpoint of rmlr-train, UPT or PViC, a folder with a saved model, or a hub id "
        f"(default: {SHIPPED}, which ships with the package)",
    )
    add("--port", type=int, help="of the page (default: the first free one from 7860 on)")
    add("--device", default="cpu", help="torch device (default cpu)")
    return command_line


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point."""
    args = parser().parse_args(file_arguments(argv))
    with one_line_errors():
        from rmlr_lightning.predictions.demo import serve

        serve(args)


if __name__ == "__main__":
    main()
