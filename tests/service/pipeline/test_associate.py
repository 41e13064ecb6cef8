import msgspec
import numpy as np
import pytest

from engines.fake import OBJECTS
from engines.protocol import SceneGraph
from service.pipeline.associate import COAST_S, FORGET_S, MAX_STORED, Tracks, TracksState
from service.pipeline.types import Tracked
from tests.service.pipeline.worlds import FPS, box, scene

EMPTY_SCENE = scene([])


def new_tracks() -> Tracks:
    return Tracks(len(OBJECTS), 128)


def run(tracks: Tracks, scenes: list[SceneGraph], start_s: float = 0.0, fps: float = FPS) -> list[Tracked]:
    return [tracks.update(one, start_s + index / fps) for index, one in enumerate(scenes)]


def shown(tracked: Tracked) -> list[int]:
    return [int(track_id) for track_id in tracked.ids_T[tracked.visible_T]]


def person(x: float, y: float = 0.5, score: float = 0.8) -> tuple[str, float, tuple[float, float, float, float]]:
    return "person", score, box(x, y)


@pytest.mark.parametrize("fps", [5.0, 12.5, 25.0, 60.0])
def test_a_walking_person_keeps_one_id_at_any_frame_rate(fps: float) -> None:
    places = np.arange(0.1, 0.9, 0.15 / fps)
    history = run(new_tracks(), [scene([person(x)]) for x in places], fps=fps)
    assert {track_id for tracked in history for track_id in shown(tracked)} == {1}
    assert abs(history[-1].boxes_T4[0, 0] - (places[-1] - 0.05)) < 0.01


def test_two_people_who_cross_keep_their_ids_by_place_motion_and_look() -> None:
    scenes = [scene([person(0.2 + t / 100), person(0.8 - t / 100, 0.55, 0.7)], looks=[1, 2]) for t in range(60)]
    history = run(new_tracks(), scenes)
    left, right = history[10].boxes_T4[:, 0], history[-1].boxes_T4[:, 0]
    assert shown(history[10]) == shown(history[-1]) == [1, 2]
    assert left[0] < left[1]
    assert right[0] > right[1]


def test_an_identity_needs_three_hits_of_five() -> None:
    seen, unseen = scene([person(0.5)]), EMPTY_SCENE
    assert not len(run(new_tracks(), [seen, seen])[-1].ids_T)
    assert run(new_tracks(), [seen, unseen, seen, unseen, seen])[-1].ids_T.tolist() == [1]
    assert not len(run(new_tracks(), [seen, unseen, unseen, unseen, seen, seen])[-1].ids_T)


@pytest.mark.parametrize(("score", "expected"), [(0.29, []), (0.34, []), (0.5, [1])])
def test_a_ghost_never_starts_a_track(score: float, expected: list[int]) -> None:
    assert shown(run(new_tracks(), [scene([person(0.5, score=score)])] * 20)[-1]) == expected


def test_a_weak_detection_carries_a_track_on() -> None:
    scenes = [scene([person(0.5)])] * 10 + [scene([person(0.5, score=0.2)])] * 10
    history = run(new_tracks(), scenes)
    assert history[-1].rows_T.tolist() == [0]
    assert history[-1].last_seen_T.tolist() == [19 / FPS]


def test_out_of_sight_it_coasts_then_is_lost_then_forgotten() -> None:
    tracks = new_tracks()
    run(tracks, [scene([person(0.5)])] * 51)
    history = run(tracks, [EMPTY_SCENE] * 100, start_s=51 / FPS)
    hidden = next(tracked.media_s for tracked in history if not shown(tracked))
    forgotten = next(tracked.media_s for tracked in history if tracked.removed == (1,))
    assert hidden - 2.0 == pytest.approx(COAST_S, abs=1.5 / FPS)
    assert forgotten - 2.0 == pytest.approx(FORGET_S, abs=1.5 / FPS)
    assert not len(history[-1].ids_T)


def test_what_was_seen_for_a_moment_goes_at_once() -> None:
    history = run(new_tracks(), [scene([person(0.5)])] * 8 + [EMPTY_SCENE] * 10)
    assert shown(history[7]) == [1]
    assert shown(history[8 + 4]) == []


@pytest.mark.parametrize(("gap_s", "expected"), [(20.0, [1]), (61.0, [2])])
def test_time_in_which_nobody_looked_is_not_time_unseen(gap_s: float, expected: list[int]) -> None:
    tracks = new_tracks()
    run(tracks, [scene([person(0.5)])] * 10)
    assert shown(run(tracks, [scene([person(0.52)])] * 10, start_s=gap_s)[-1]) == expected


def test_a_lost_thing_comes_back_under_its_id_by_its_look() -> None:
    tracks = new_tracks()
    run(tracks, [scene([person(0.5)], looks=[1])] * 10)
    run(tracks, [EMPTY_SCENE] * 40, start_s=0.4)
    back = run(tracks, [scene([person(0.6)], looks=[1])] * 10, start_s=2.0)
    assert shown(back[-1]) == [1]


def test_ids_are_never_used_twice() -> None:
    tracks = new_tracks()
    run(tracks, [scene([person(0.2)], looks=[1])] * 10)
    run(tracks, [EMPTY_SCENE] * 90, start_s=0.4)
    assert shown(run(tracks, [scene([person(0.2)], looks=[1])] * 10, start_s=4.0)[-1]) == [2]


def test_the_label_is_steady_while_the_detector_wavers() -> None:
    mostly = [scene([("cup" if t % 4 else "bottle", 0.6, box(0.5, 0.5))], looks=[1]) for t in range(40)]
    for one in mostly:
        one.class_probs_NC[0, [OBJECTS.index("cup"), OBJECTS.index("bottle")]] = 0.5
        one.class_probs_NC[0, one.labels_N[0]] = 0.6
    history = run(new_tracks(), mostly)
    assert {OBJECTS[int(tracked.labels_T[0])] for tracked in history[8:]} == {"cup"}


def test_things_of_different_classes_in_one_place_stay_two() -> None:
    both = scene([("bed", 0.8, box(0.5, 0.5, 0.6, 0.5)), ("person", 0.7, box(0.5, 0.5, 0.58, 0.5))])
    tracked = run(new_tracks(), [both] * 10)[-1]
    assert sorted(OBJECTS[int(label)] for label in tracked.labels_T) == ["bed", "person"]


def test_absorbing_keeps_the_older_id_and_the_newer_sighting() -> None:
    tracks = new_tracks()
    run(tracks, [scene([person(0.2)], looks=[1])] * 10)
    run(tracks, [scene([person(0.8)], looks=[2])] * 10, start_s=0.4)
    tracks.absorb(kept=1, merged=2)
    view = tracks.view()
    assert view.ids_T.tolist() == [1]
    assert view.first_seen_T.tolist() == [0.0]
    assert view.boxes_T4[0] == pytest.approx(box(0.8, 0.5), abs=0.01)


def test_a_restored_tracker_goes_on_with_the_same_ids() -> None:
    scenes = [scene([person(0.2 + t / 100), person(0.8 - t / 100, 0.55, 0.7)], looks=[1, 2]) for t in range(60)]
    whole, first = new_tracks(), new_tracks()
    run(whole, scenes[:30])
    run(first, scenes[:30])
    packed = msgspec.msgpack.encode(first.state())
    second = new_tracks()
    second.restore(msgspec.msgpack.decode(packed, type=TracksState))
    for one, other in zip(run(whole, scenes[30:], 30 / FPS), run(second, scenes[30:], 30 / FPS), strict=True):
        assert one.ids_T.tolist() == other.ids_T.tolist()
        assert one.rows_T.tolist() == other.rows_T.tolist()
        assert np.abs(one.boxes_T4 - other.boxes_T4).max() < 1e-4


def test_the_stored_state_is_bounded_and_keeps_what_was_seen_last() -> None:
    tracks = new_tracks()
    grid = [(x, y) for x in np.linspace(0.05, 0.95, 8) for y in np.linspace(0.05, 0.95, 4)]
    crowd = [scene([("person", 0.9, box(x, y, 0.06, 0.1)) for x, y in grid[:32]], looks=list(range(32)))]
    run(tracks, crowd * 5)
    run(tracks, [scene([("dog", 0.9, box(x, y, 0.06, 0.1)) for x, y in grid[:8]])] * 5, start_s=1.0)
    state = tracks.state()
    assert len(state.tracklets) == MAX_STORED
    assert {one.id for one in state.tracklets} >= set(range(33, 41))
    assert len(msgspec.msgpack.encode(state)) < 14_000
