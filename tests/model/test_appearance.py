"""Appearance: exact averages over boxes by hand, and on a real clip the same thing looks like itself."""

from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from engines.canvas import fit_canvas
from model.appearance import average_boxes, isometry
from model.nano import Nano
from model.text import Prototypes
from model.vocabulary import MODERATION_V1

CLIP = Path(__file__).parents[2] / "../shared/clips/sam2-dog.mp4"


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((0.0, 0.0, 1.0, 1.0), 2.5),
        ((0.0, 0.0, 0.5, 1.0), 1.5),
        ((0.125, 0.0, 1.0, 1.0), (0.5 * 1 + 2 + 3 + 4) / 3.5),
        ((0.25, 0.0, 0.75, 1.0), 2.5),
        ((0.49, 0.5, 0.51, 0.5), 2.5),
        ((0.125, 0.5, 0.125, 0.5), 1.0),
        ((0.25, 0.5, 0.25, 0.5), 1.5),
    ],
)
def test_a_box_holds_the_mean_of_what_it_covers(box: tuple[float, ...], expected: float) -> None:
    features_BFHW = torch.tensor([[[[1.0, 2.0, 3.0, 4.0]]]])
    assert float(average_boxes(features_BFHW, torch.tensor([[box]]))) == pytest.approx(expected, abs=1e-5)


def test_the_isometry_keeps_every_inner_product() -> None:
    rows_FD = isometry(112, 128)
    assert torch.allclose(rows_FD @ rows_FD.T, torch.eye(112), atol=1e-5)


def canvases(path: Path, every: int, count: int) -> list[npt.NDArray[np.uint8]]:
    images: list[npt.NDArray[np.uint8]] = []
    with av.open(path) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if len(images) == count:
                break
            if index % every == 0:
                canvas = fit_canvas(frame.height, frame.width, 320 * 192)
                image_HW3 = np.full((canvas.height, canvas.width, 3), 127, np.uint8)
                content = frame.reformat(canvas.content_width, canvas.content_height, "rgb24", interpolation="AREA").to_ndarray()
                image_HW3[: canvas.content_height, : canvas.content_width] = content
                images.append(image_HW3)
    return images


def best(network: Nano, image_HW3: npt.NDArray[np.uint8], names: tuple[str, ...]) -> Tensor:
    """The appearance of the surest thing of these classes."""
    entities = network.entities(torch.from_numpy(image_HW3)[None], len(MODERATION_V1.objects))
    rows_C = [MODERATION_V1.objects.index(name) for name in names]
    return entities.appearance_BND[0, int(entities.class_probs_BNC[0][:, rows_C].amax(1).argmax())]


def test_a_person_and_a_dog_look_like_themselves_over_time_and_not_like_each_other(shipped: tuple[Nano, Prototypes]) -> None:
    if not CLIP.is_file():
        pytest.skip("the real clip sam2-dog.mp4 is not beside this checkout")
    images = canvases(CLIP, every=6, count=4)
    people = torch.stack([best(shipped[0], image, ("person",)) for image in images])
    dogs = torch.stack([best(shipped[0], image, ("dog", "cat")) for image in images])
    apart = (people @ dogs.T).max()
    assert apart < 0.6
    for things in (people, dogs):
        over_time = (things[1:] * things[:-1]).sum(1).min()
        assert over_time > 0.75
        assert over_time > apart + 0.2
