"""The scene head's files in a checkpoint folder: weights and prototypes (safetensors), and how to use them (JSON)."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from model.calibrate import Score
from model.scene_head import SceneHead
from model.text import Prototypes
from model.train import Recipe
from model.vocabulary import MODERATION_V1

WEIGHTS = "head.safetensors"
CARD = "head.json"


@dataclass(frozen=True, slots=True)
class LoadedHead:
    """A trained head, its prototypes, and its predicates' operating points in the order of the vocabulary."""

    head: SceneHead
    prototypes: Prototypes
    scores: tuple[Score, ...]


def save_head(folder: Path, loaded: LoadedHead, about: dict[str, Any]) -> None:
    """Write both files. `about` is what else the card should say: the recipe, ablations, where the priors stand."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {f"head.{name}": tensor.contiguous() for name, tensor in loaded.head.state_dict().items()}
    weights |= {f"prototypes.{name}": tensor for name, tensor in loaded.prototypes._asdict().items()}
    save_file(weights, folder / WEIGHTS)
    card = {
        "vocabulary": MODERATION_V1.name,
        "cue_columns": loaded.head.cue_columns,
        "predicates": [_rounded(asdict(score)) for score in loaded.scores],
        **about,
    }
    (folder / CARD).write_text(json.dumps(card, indent=1) + "\n")


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in values.items()}


def load_head(folder: Path) -> LoadedHead:
    """Read a head for inference. Raises ValueError when the files are of another vocabulary."""
    card = json.loads((folder / CARD).read_text())
    scores = tuple(Score(**row) for row in card["predicates"])
    if card["vocabulary"] != MODERATION_V1.name or tuple(score.name for score in scores) != MODERATION_V1.predicates:
        raise ValueError(f"{folder / CARD} is for vocabulary {card['vocabulary']!r}, expected {MODERATION_V1.name!r} and its predicates")
    weights = load_file(folder / WEIGHTS)
    prototypes = Prototypes(weights["prototypes.objects_CD"], weights["prototypes.predicates_KD"])
    sizes = (prototypes.objects_CD.shape[1], len(MODERATION_V1.objects), len(MODERATION_V1.predicates))
    episodes = any(name.startswith("head.episodes.") for name in weights)
    head = SceneHead(*sizes, cue_columns=card.get("cue_columns", 0), episodes=episodes)
    head.load_state_dict({name.removeprefix("head."): tensor for name, tensor in weights.items() if name.startswith("head.")})
    return LoadedHead(head.eval(), prototypes, scores)


def load_recipe(folder: Path) -> Recipe:
    """The recipe that a head was trained by."""
    return Recipe(**json.loads((folder / CARD).read_text())["recipe"])
