"""The loop that one writes first: OpenCV reads the file, torch runs the network eagerly, numpy reads it out; no tracking, one by one.

Also the same loop around a published network. Knows no service. B batch, H W picture, N entity slots, R pairs, K predicates,
C object classes, P memory slots, D width, 4 = (x0, y0, x1, y1) as fractions of the canvas.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import torch

from model.assemble import load_network
from model.nano import Outputs
from model.peers import reltr
from model.rollout import empty_state
from model.vocabulary import MODERATION_V1

UInt8 = npt.NDArray[np.uint8]
SURE_ENTITY = 0.35
SURE_RELATION = 0.5
PIXEL_MEAN = (0.485, 0.456, 0.406)
PIXEL_SPREAD = (0.229, 0.224, 0.225)


class Triplet(NamedTuple):
    """Who does what to whom, in words."""

    subject: str
    predicate: str
    object: str
    prob: float


class PlainLoop:
    """Our network, float32, in torch's own words. `threads` 0 is torch's default."""

    def __init__(self, file: Path, checkpoint: Path, height: int, width: int, threads: int = 0) -> None:
        self.pictures = endless_pictures(file, height, width)
        self.threads = threads or torch.get_num_threads()
        self.network, self.prototypes = load_network(checkpoint)
        self.num_parameters = reltr.num_parameters(self.network)
        self.memory_BPD, self.counts_BP = empty_state(self.network.head, 1)
        self.seen: list[Triplet] = []

    @torch.inference_mode()
    def step(self) -> None:
        """One frame of the file, the first again after the last; what it shows is in `seen`."""
        torch.set_num_threads(self.threads)
        image_BHW3 = torch.from_numpy(next(self.pictures))[None]
        outputs = self.network(image_BHW3, self.memory_BPD, self.counts_BP, torch.full((1,), 0.04), *self.prototypes)
        self.memory_BPD, self.counts_BP = outputs.memory_BPD, outputs.counts_BP
        self.seen = read_out(outputs)


class RelTRLoop:
    """The same around RelTR with random weights."""

    def __init__(self, file: Path, network: reltr.RelTR, height: int, width: int, threads: int = 0) -> None:
        self.pictures = endless_pictures(file, height, width)
        self.threads = threads or torch.get_num_threads()
        self.network = network
        self.num_parameters = reltr.num_parameters(network)
        self.mean_3HW = torch.tensor(PIXEL_MEAN)[:, None, None]
        self.spread_3HW = torch.tensor(PIXEL_SPREAD)[:, None, None]
        self.best_K = np.zeros(0, np.int64)

    @torch.inference_mode()
    def step(self) -> None:
        """One frame; `best_K` are its triplets by sureness."""
        torch.set_num_threads(self.threads)
        image_3HW = torch.from_numpy(next(self.pictures)).permute(2, 0, 1).float() / 255
        triplets = self.network(((image_3HW - self.mean_3HW) / self.spread_3HW)[None])
        logits = (triplets.subject_logits_BRC, triplets.predicate_logits_BRK, triplets.object_logits_BRC)
        subject_R, predicate_R, object_R = (one.softmax(2)[0, :, :-1].amax(1).numpy() for one in logits)
        self.best_K = np.argsort(-subject_R * predicate_R * object_R)[:20]


def endless_pictures(file: Path, height: int, width: int) -> Iterator[UInt8]:
    """RGB pictures (H, W, 3) of the file, again and again. ValueError when OpenCV cannot read it."""
    while True:
        capture = cv2.VideoCapture(str(file))
        is_read, bgr = capture.read()
        if not is_read:
            raise ValueError(f"{file}: OpenCV reads no picture from it")
        while is_read:
            yield np.asarray(cv2.cvtColor(cv2.resize(bgr, (width, height)), cv2.COLOR_BGR2RGB), np.uint8)
            is_read, bgr = capture.read()
        capture.release()


def read_out(outputs: Outputs) -> list[Triplet]:
    """The first frame's sure relations between sure things."""
    scores_N, names_N = outputs.scores_BN[0].numpy(), outputs.class_probs_BNC[0].numpy().argmax(1)
    pairs_R2, probs_RK = outputs.pairs_BR2[0].numpy(), outputs.predicate_probs_BRK[0].numpy()
    triplets = []
    for row, predicate in zip(*np.nonzero(probs_RK > SURE_RELATION), strict=True):
        subject, thing = pairs_R2[row]
        if min(scores_N[subject], scores_N[thing]) > SURE_ENTITY:
            words = (MODERATION_V1.objects[names_N[subject]], MODERATION_V1.predicates[predicate], MODERATION_V1.objects[names_N[thing]])
            triplets.append(Triplet(*words, float(probs_RK[row, predicate])))
    return triplets
