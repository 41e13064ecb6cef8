"""The vocabulary against the numbers of its sources: COCO has 80 classes, Action Genome 36 objects and 26 predicates."""

from model.vocabulary import ACTION_GENOME_OBJECTS, ATTENTION, COCO, CONTACTING, MODERATION_V1, NULL_PREDICATES, SPATIAL


def test_the_counts_are_those_of_the_sources() -> None:
    assert (len(COCO), len(ACTION_GENOME_OBJECTS)) == (80, 36)
    assert (len(ATTENTION), len(SPATIAL), len(CONTACTING)) == (3, 6, 17)
    assert len(MODERATION_V1.objects) == len(set(MODERATION_V1.objects)) == 101
    assert len(MODERATION_V1.predicates) == len(set(MODERATION_V1.predicates)) == 26


def test_every_action_genome_object_is_made_of_known_classes_and_no_class_counts_twice() -> None:
    parts = [name for names in ACTION_GENOME_OBJECTS.values() for name in names]
    assert set(parts) <= set(MODERATION_V1.objects)
    assert len(parts) == len(set(parts))


def test_null_predicates_are_predicates() -> None:
    assert set(MODERATION_V1.predicates) >= NULL_PREDICATES
