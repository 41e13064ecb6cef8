"""The analysed picture as JPEG, without the grey border. Encoded only while somebody watches. Knows no stream."""

import io

from PIL import Image

from service.types import Frame

QUALITY = 70
PREVIEW_EVERY_S = 1 / 15


def encode_jpeg(frame: Frame) -> bytes:
    """The part of the canvas that the picture fills."""
    height, width = frame.content_hw
    buffer = io.BytesIO()
    Image.fromarray(frame.image_HW3[:height, :width]).save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()
