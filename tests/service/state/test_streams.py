"""Desired streams, status, policies and metrics, on real servers."""

import pytest
from redis import Redis

from service.errors import FencedError
from service.state.store import CapacityError, Store, Target
from service.types import StreamStatus
from tests.service.state.made import spec


def test_a_stream_is_put_read_listed_and_deleted(store: Store) -> None:
    later = spec("st_2", created_at_s=200.0)
    assert store.put_stream(later) == (later, True)
    assert store.put_stream(spec()) == (spec(), True)
    assert store.get_stream("st_1") == spec()
    assert store.list_streams() == (spec(), later)
    assert store.delete_stream("st_1")
    assert not store.delete_stream("st_1")
    assert store.get_stream("st_1") is None


def test_the_same_idempotency_key_gives_the_first_stream(store: Store) -> None:
    store.put_stream(spec(), idempotency_key="k")
    again, created = store.put_stream(spec("st_2", created_at_s=101.0), idempotency_key="k")
    assert (again, created) == (spec(), False)
    assert len(store.list_streams()) == 1


def test_an_idempotency_key_used_for_another_request_is_refused(store: Store) -> None:
    store.put_stream(spec(), idempotency_key="k")
    with pytest.raises(ValueError, match="was used with another request"):
        store.put_stream(spec("st_2", url="rtmp://example.org/other"), idempotency_key="k")


def test_a_key_whose_stream_was_deleted_makes_a_new_one(store: Store) -> None:
    store.put_stream(spec(), idempotency_key="k")
    store.delete_stream("st_1")
    assert store.put_stream(spec("st_2"), idempotency_key="k") == (spec("st_2"), True)


def test_one_stream_too_many_is_refused_and_the_others_stay(store: Store) -> None:
    store.put_stream(spec("st_1"), max_streams=2)
    store.put_stream(spec("st_2"), max_streams=2)
    with pytest.raises(CapacityError, match="2 streams are running"):
        store.put_stream(spec("st_3"), max_streams=2)
    assert [stream.id for stream in store.list_streams()] == ["st_1", "st_2"]


def test_a_taken_id_is_refused(store: Store) -> None:
    store.put_stream(spec())
    with pytest.raises(ValueError, match="'st_1' exists"):
        store.put_stream(spec())


def test_of_two_patches_of_one_version_the_second_fails(store: Store) -> None:
    store.put_stream(spec())
    patched = store.patch_stream(spec())
    assert patched is not None
    assert patched.version == 2
    assert store.patch_stream(spec()) is None
    assert store.get_stream("st_1") == patched


def test_every_change_gives_another_version(store: Store) -> None:
    versions = [store.streams_version()]
    store.put_stream(spec())
    versions.append(store.streams_version())
    store.patch_stream(spec())
    versions.append(store.streams_version())
    store.delete_stream("st_1")
    versions.append(store.streams_version())
    assert len(set(versions)) == 4


def test_the_status_of_an_older_owner_is_refused(store: Store) -> None:
    store.put_stream(spec())
    first, second = store.claim("st_1"), store.claim("st_1")
    assert second == first + 1
    live = StreamStatus("st_1", "live", 5.0, epoch=second)
    store.put_status(live)
    with pytest.raises(FencedError):
        store.put_status(StreamStatus("st_1", "stalled", 6.0, epoch=first))
    assert store.get_status("st_1") == live
    pending = StreamStatus("st_1", "pending", 7.0)
    store.put_status(pending)
    assert store.get_statuses(("st_1", "st_9")) == (pending, None)


def test_a_deleted_stream_leaves_no_key_and_cannot_be_claimed_or_written(store: Store, redis: Redis) -> None:
    store.put_stream(spec())
    epoch = store.claim("st_1")
    store.put_status(StreamStatus("st_1", "live", 5.0, epoch=epoch))
    store.delete_stream("st_1")
    with pytest.raises(FencedError):
        store.claim("st_1")
    with pytest.raises(FencedError):
        store.put_status(StreamStatus("st_1", "live", 6.0, epoch=epoch))
    store.put_status(StreamStatus("st_1", "pending", 6.0))
    assert redis.keys("vigil:stream:*") == []


def test_policies_keep_their_text_and_count_versions(store: Store) -> None:
    assert store.get_policies() is None
    assert store.policies_version() == 0
    assert [store.put_policies("- name: a"), store.put_policies("- name: b")] == [1, 2]
    stored = store.get_policies()
    assert stored is not None
    assert (stored.version, stored.text) == (2, "- name: b")
    assert store.policies_version() == 2


def test_metrics_of_a_dead_process_go(store: Store, redis: Redis) -> None:
    store.put_metrics("main", "api", b"a 1\n", at_s=100.0)
    store.put_metrics("main", "worker-0", b"b 2\n", at_s=100.0)
    assert store.all_metrics("main") == {"api": b"a 1\n", "worker-0": b"b 2\n"}
    assert 0 < int(str(redis.ttl("vigil:metrics:main:worker-0"))) <= 15
    redis.delete("vigil:metrics:main:worker-0")
    assert store.all_metrics("main") == {"api": b"a 1\n"}


def test_metrics_of_two_shards_do_not_mix(store: Store) -> None:
    store.put_metrics("north", "worker-1", b"a 1\n", at_s=100.0)
    store.put_metrics("south", "worker-1", b"b 2\n", at_s=100.0)
    assert store.all_metrics("north") == {"worker-1": b"a 1\n"}
    assert store.all_metrics("south") == {"worker-1": b"b 2\n"}


def test_targets_are_those_heard_within_the_last_hour_that_did_not_say_goodbye(store: Store) -> None:
    south, north, east = Target("south", "vigil-south:8000"), Target("north", "vigil-north:8000"), Target("east", "vigil-east:8000")
    for target in (south, north, east):
        store.put_target(target, at_s=100.0)
    store.put_target(north, at_s=3000.0)
    store.drop_target(east)
    assert store.targets(now_s=3600.0) == (north, south)
    assert store.targets(now_s=3701.0) == (north,)
    store.put_target(north, at_s=9000.0)
    assert store._redis.zcard("vigil:targets") == 1


def test_a_url_of_another_scheme_is_refused_with_a_sentence() -> None:
    with pytest.raises(ValueError, match="scheme"):
        Store.connect("http://localhost:6379")
