"""OpenVINO without openvino-telemetry, which would tell its makers of every import through Google Analytics, unasked."""

import sys

__all__ = ["ov"]

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # OpenVINO then takes its own stand-in, which sends nothing

import openvino as ov  # noqa: E402
