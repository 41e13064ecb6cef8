"""What passes between the steps of the pipeline. Data only.

Shape suffixes: T tracks, N entity rows of the scene, C object classes, D embedding, 4 = (x0, y0, x1, y1) as fractions of the picture.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MAX_STEP_S = 1.0
"""A longer gap between two frames counts as this much: time in which nobody looked (a reconnect, a restart) is not time unseen."""
MAX_BLIND_S = 60.0
"""After a longer gap nothing is taken to be the same."""

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Tracked:
    """Every confirmed identity that is held after one frame, ids ascending (so older comes first).

    `rows_T` is the scene's row it was seen at now, -1 when unseen. `visible_T`: belongs in the published graph; the others are
    lost and may come back. `removed`: confirmed ids that were forgotten with this frame.
    """

    media_s: float
    ids_T: Ints
    labels_T: Ints
    scores_T: Floats
    boxes_T4: Floats
    embeddings_TD: Floats
    first_seen_T: Floats
    last_seen_T: Floats
    rows_T: Ints
    visible_T: Bools
    removed: tuple[int, ...]
