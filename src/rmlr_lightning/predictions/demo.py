"""The page of rmlr-demo: an image, a threshold per verb, drawn boxes and a table."""

import math
import os
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from rmlr_lightning.errors import UserError
from rmlr_lightning.hub.detector import HOIDetector, load_detector
from rmlr_lightning.hub.named_detections import LIKELY_SCORE
from rmlr_lightning.hub.result import Result, certainty
from rmlr_lightning.predictions.predict_files import OF_DRAWINGS
from rmlr_lightning.runs.device import device_of

TITLE = "Human-object interactions"
NARROW = {"min_width": 320}  # on a phone the parts of the page are below each other
Rows = Sequence[Sequence[Any]]


def first_thresholds(detector: HOIDetector) -> Rows:
    """(verb, threshold) of every verb: those that were chosen on the validation split."""
    verbs = detector.vocabulary.verbs
    calibration = detector.saved.calibration
    values = [LIKELY_SCORE] * len(verbs) if calibration is None else calibration.thresholds
    return [[_words(verb), round(value, 3)] for verb, value in zip(verbs, values, strict=True)]


def answer(
    detector: HOIDetector, image: str | Image.Image | None, thresholds: Rows
) -> tuple[Image.Image | None, Rows]:
    """What the page shows for an image: a drawing, and rows (human, verb, object, number).

    Args:
        image: a file, or an image; None before one is chosen.
        thresholds: (verb, number in [0, 1]) of the probability, or of the score where the model
            has no calibration. Verbs that are not listed are not shown.

    Raises:
        UserError: a threshold is not such a number, or the image cannot be read.
    """
    limits = {verb: _number(verb, value) for verb, value in thresholds}
    if image is None:
        return None, []
    result = detector.predict(image)
    shown = [
        triplet._replace(likely=True)
        for triplet in result
        if certainty(triplet) >= limits.get(_words(triplet.verb), math.inf)
    ]
    # `plot` draws the likely ones: here those that the user wants to see
    drawn = Result(result.image, result.name, shown, result.vocabulary)
    human = result.vocabulary.subject_name or "subject"
    rows = [[human, _words(t.verb), _words(t.object), round(certainty(t), 3)] for t in shown]
    return drawn.plot(), rows


def _words(name: str) -> str:
    """ "sit on" of "sit_on"."""
    return name.replace("_", " ")


def _number(verb: Any, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if not 0 <= number <= 1:
        raise UserError(f"threshold of {verb}: {value!r} is not a number from 0 to 1")
    return number


def page(detector: HOIDetector) -> Any:
    """The page as `gradio.Blocks`.

    Raises:
        UserError: gradio is not installed.
    """
    gr = _gradio()

    def shown(image: str | None, thresholds: Rows) -> Any:
        try:
            return answer(detector, image, thresholds)
        except UserError as error:
            message = str(error)
            if image is not None:  # the folder is gradio's
                message = message.replace(f"{Path(image).parent}{os.sep}", "")
            # gr.Error would also mark the drawing and the table, each with the word "Error"
            gr.Warning(message, title="Error")
            return None, []

    number = "score" if detector.saved.calibration is None else "probability"
    columns = ["human", "verb", "object", number]
    first = first_thresholds(detector)
    note = f" Note: {OF_DRAWINGS}." if detector.saved.knows_drawings_only else ""
    with gr.Blocks(title=TITLE, analytics_enabled=False) as blocks:
        gr.Markdown(f"# {TITLE}\nEach verb is shown from its own {number} on.{note}")
        with gr.Row():
            image = gr.Image(label="image", sources=["upload", "clipboard"], **NARROW)
            # the file as it is: gradio would open it, and print a traceback if it is none
            image.preprocess = lambda file: None if file is None else file.path
            buttons = ["download", "fullscreen"]  # "share" would send the drawing to another host
            drawing = gr.Image(label="interactions", interactive=False, buttons=buttons, **NARROW)
        with gr.Row():
            table = gr.Dataframe(headers=columns, label="triplets", interactive=False, **NARROW)
            options = {"headers": ["verb", "shown from"], "static_columns": [0], "type": "array"}
            options |= {"label": "thresholds", "max_height": 400}
            limits = gr.Dataframe(first, interactive=True, **options, **NARROW)
        # gradio tells of an edit that ends by Enter or Tab twice; the State changes once
        typed = gr.State(first)
        limits.change(lambda rows: rows, limits, typed, show_progress="hidden")
        for part in (image, typed):
            part.change(shown, [image, typed], [drawing, table])
    return blocks


def serve(args: Namespace) -> None:
    """What rmlr-demo does: serve the page to this machine until Ctrl-C.

    Raises:
        UserError: gradio is not installed, the model cannot be read, or the port cannot be used.
    """
    if args.port is not None and not 1 <= args.port <= 65535:
        raise UserError(f"--port {args.port}: not a port; from 1 to 65535")
    gr = _gradio()  # before the model is loaded
    detector = load_detector(args.checkpoint).to(device_of(args.device, "--device"))
    # Fonts of the system: the default theme asks another host for them. Tables have `font_mono`; in
    # a monospaced font, four columns are wider than a phone.
    theme = gr.themes.Default(font="sans-serif", font_mono="sans-serif")
    theme.set(body_text_color_subdued="*neutral_600")  # its own grey is too faint on white
    try:
        blocks = page(detector)
        blocks.launch(
            server_name="127.0.0.1",
            server_port=args.port,
            theme=theme,
            share=False,  # whatever GRADIO_SHARE is
            quiet=True,  # gradio would recommend a public link
            prevent_thread_lock=True,
        )
    except OSError as error:
        where = "" if args.port is None else f" {args.port}"
        raise UserError(f"--port{where}: in use by another program; name another") from error
    print(f"page: {blocks.local_url} (Ctrl-C ends it)", flush=True)
    blocks.block_thread()


def _gradio() -> Any:
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # no question for newer versions
    try:
        import gradio
    except ImportError:
        raise UserError("gradio is not installed: pip install 'rmlr-lightning[demo]'") from None
    return gradio
