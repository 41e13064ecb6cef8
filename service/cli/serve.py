"""`vigil serve`: settings from the command line over those of the environment, then everything runs until Ctrl-C."""

import argparse
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from service.bootstrap import serve
from service.settings import Settings

FLAGS: dict[str, tuple[type, str]] = {
    "host": (str, "ADDRESS"),
    "port": (int, "PORT"),
    "redis_url": (str, "URL"),
    "data_dir": (Path, "FOLDER"),
    "model_dir": (Path, "FOLDER"),
    "engine": (str, "NAME"),
    "engine_threads": (int, "N"),
    "max_pixels": (int, "N"),
    "workers": (int, "N"),
    "max_streams": (int, "N"),
    "policies": (Path, "PATH"),
    "log_level": (str, "LEVEL"),
}
NAMES = {"data_dir": "--data"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One flag per setting that is often changed; every other by its VIGIL_ variable."""
    for field, (kind, shown_as) in FLAGS.items():
        about = Settings.model_fields[field].description
        parser.add_argument(NAMES.get(field, "--" + field.replace("_", "-")), dest=field, type=kind, metavar=shown_as, help=about)
    parser.add_argument(
        "--allow-network",
        action="append",
        dest="allow_networks",
        metavar="CIDR",
        help="Private network that stream URLs may point to; may be given several times.",
    )
    parser.add_argument("--log-json", action="store_true", default=None, help=Settings.model_fields["log_json"].description)


def run(args: argparse.Namespace) -> int:
    """Until stopped; status 0 after a clean stop."""
    serve(settings_from(args), lambda url: print(f"vigil serves {url}  (Ctrl-C stops it)", flush=True))
    return 0


def settings_from(args: argparse.Namespace) -> Settings:
    """The flags that were given, over the environment. ValueError says in one line each what is wrong."""
    given = {field: value for field, value in vars(args).items() if value is not None and field in Settings.model_fields}
    try:
        return Settings(**given)
    except ValidationError as error:
        raise ValueError("; ".join(_sentence(fault) for fault in error.errors())) from error


def _sentence(fault: ErrorDetails) -> str:
    """What is wrong, and what came unless that is a secret."""
    name = ".".join(str(part) for part in fault["loc"])
    return f"{name}: {fault['msg']}" + ("" if name == "hook_token" else f", got {fault['input']!r}")
