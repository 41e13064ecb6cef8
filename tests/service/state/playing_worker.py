"""A worker to be killed: plays a script of graphs through policy, incidents and the store, from where the last one was stopped.

Run as `python -m tests.service.state.playing_worker URL`. Somebody holds a cup from second 2 to 4 of every ten seconds, 20 times.
"""

import sys
import time

from service.alerts import IncidentBook
from service.policy import PolicyEvaluator, parse_policies
from service.state.blob import StreamBlob
from service.state.store import Store
from service.types import Edge, GraphSnapshot, Node, TrackedGraph

NUM_EVENTS = 20
LENGTH_S = 10.0
FRAME_S = 0.04
POLICY = "- name: cup\n  when: {relation: {subject: person, predicate: holding, object: cup}}\n  for: 1s\n"
BOX = (0.0, 0.0, 1.0, 1.0)
NODES = (Node(3, "person", 0.9, BOX, 0.0), Node(7, "cup", 0.9, BOX, 0.0))


def shown(media_s: float) -> TrackedGraph:
    is_held = 2.0 <= media_s % LENGTH_S < 4.0
    return TrackedGraph(NODES, (Edge(3, "holding", 7, 0.9, media_s),) if is_held else ())


def play(store: Store) -> None:
    epoch = store.claim("st_1")
    resumed = store.resume("st_1", "model-a")
    evaluator, book, seq, media_s = PolicyEvaluator(parse_policies(POLICY)), IncidentBook("st_1"), resumed.seq, 0.0
    if resumed.blob is not None:
        media_s = resumed.blob.media_s
        evaluator.restore(resumed.blob.policies)
        book.restore(resumed.blob.incidents)
    while media_s < NUM_EVENTS * LENGTH_S:
        seq, media_s = seq + 1, media_s + FRAME_S
        graph = shown(media_s)
        violations = evaluator.evaluate(graph, media_s, {}, {})
        changes = book.update(violations, media_s=media_s, wall_s=time.time(), captured_at_s=time.time(), seq=seq, present=(3, 7))
        snapshot = GraphSnapshot("st_1", seq, media_s, time.time(), graph.nodes, graph.edges)
        blob = None
        if changes or seq % 25 == 0:
            blob = StreamBlob("model-a", epoch, seq, media_s, b"", b"", b"", evaluator.state(), book.state())
        store.publish("st_1", epoch, snapshot, snapshot, blob=blob, opened=changes.opened, changed=changes.changed)


if __name__ == "__main__":
    play(Store.connect(sys.argv[1]))
