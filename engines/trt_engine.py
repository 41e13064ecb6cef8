"""TensorRT plans behind the Engine protocol. Knows where plans come from (trt_plans.py) and what runs them (trt_network.py)."""

from dataclasses import replace

from engines.canvas import fit_canvas
from engines.device_engine import WARM_UP_SOURCE, DeviceEngine
from engines.outputs import network_spec
from engines.trt_network import Device, TrtNetwork
from engines.trt_plans import TrtPlans
from model.checkpoint import read_prototypes


def open_plans(plans: TrtPlans, backend: str, device: Device, device_name: str, *, num_streams: int, max_pixels: int) -> DeviceEngine:
    """An engine that runs these plans, warmed up on the usual canvas; a canvas that it meets later is fetched, or built, then.

    Raises ValueError when a plan can be neither found nor built, or is not taken; RuntimeError when it does not run.
    """
    canvas = fit_canvas(*WARM_UP_SOURCE, max_pixels)
    chosen = plans.largest_stored(canvas.height, canvas.width)
    sizes = {"num_streams": num_streams, "max_pixels": max_pixels, "max_batch": chosen.max_batch, "best_batch": chosen.max_batch}
    spec = replace(network_spec(chosen.manifest, backend, **sizes), precision=chosen.precision, device=device_name)

    def network_for(height: int, width: int) -> TrtNetwork:
        return TrtNetwork(chosen.trt, chosen.fetch(height, width).read_bytes(), device)

    return DeviceEngine(spec, read_prototypes(chosen.folder, chosen.manifest), network_for, device.torch_device)
