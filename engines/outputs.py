"""From a checkpoint's manifest and the network's raw outputs to the protocol's types; shared by all backends that run the network."""

import numpy as np

from engines.protocol import EngineSpec, Float, Predicate, SceneGraph
from model.checkpoint import Manifest
from model.vocabulary import Vocabulary


def network_spec(manifest: Manifest, backend: str, *, num_streams: int, max_pixels: int, max_batch: int, best_batch: int) -> EngineSpec:
    """The spec of a checkpoint on the CPU in float32; `dataclasses.replace` says what else a backend does."""
    names = tuple(use.name for use in manifest.predicates)
    return EngineSpec(
        backend=backend,
        model=manifest.name,
        model_hash=manifest.model_hash,
        vocabulary=Vocabulary(manifest.vocabulary, manifest.objects, names),
        predicates=tuple(Predicate(use.name, use.published, use.threshold, use.pace) for use in manifest.predicates),
        max_batch=max_batch,
        max_pixels=max_pixels,
        num_streams=num_streams,
        num_entities=manifest.num_entities,
        num_pairs=manifest.num_pairs,
        num_slots=manifest.num_slots,
        dim=manifest.dim,
        best_batch=best_batch,
    )


def scene_graph(
    boxes_N4: Float, scores_N: Float, class_probs_NC: Float, embeddings_ND: Float, pairs_R2: Float, predicate_probs_RK: Float
) -> SceneGraph:
    """One frame's rows of the network's first six outputs."""
    return SceneGraph(
        boxes_N4=boxes_N4,
        scores_N=scores_N,
        labels_N=class_probs_NC.argmax(axis=1),
        class_probs_NC=class_probs_NC,
        embeddings_ND=embeddings_ND,
        pairs_R2=pairs_R2.astype(np.int64, copy=False),
        predicate_probs_RK=predicate_probs_RK,
    )
