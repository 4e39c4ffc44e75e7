import numpy as np
from PIL import Image

from rmlr_lightning.drawing.contact_sheet import contact_sheet


def test_sheets_hold_all_images():
    sheet = contact_sheet([Image.new("RGB", (20, 10))] * 5, columns=2, width=40)
    assert sheet.size == (80, 60)
    pixels = np.asarray(sheet)
    assert not pixels[:40].any() and not pixels[40:, :40].any()
    assert (pixels[40:, 40:] == 255).all()  # the sixth place is empty
