"""A courier to be killed, as the API's process runs one. Run as `python -m tests.service.api.courier_process REDIS_URL`."""

import sys
import threading

from service.api.courier import Courier
from service.api.webhook_channel import Pace
from service.ingest.address import AddressGuard, parse_networks
from service.metrics import Metrics
from service.state.webhooks import WebhookShelf

QUICK = Pace(first_wait_s=0.02, max_wait_s=0.05, give_up_s=30.0, connect_s=5.0, total_s=10.0, tend_s=0.05, lease_s=0.7)
GUARD = AddressGuard(parse_networks(["127.0.0.1/32"]))

if __name__ == "__main__":
    Courier(WebhookShelf.connect(sys.argv[1]), GUARD, Metrics(), QUICK).start()
    threading.Event().wait()
