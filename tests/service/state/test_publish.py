"""The fenced write, on real servers."""

import time

import pytest
from redis import Redis, RedisError

from service.errors import FencedError, StateError
from service.state.blob import MAX_BLOB_BYTES, StreamBlob, decode_blob, encode_blob
from service.state.store import MAX_MESSAGES, Store
from service.types import AlertChange
from tests.service.state.made import alert, blob, delta, snapshot, spec


@pytest.fixture
def epoch(store: Store) -> int:
    store.put_stream(spec())
    return store.claim("st_1")


def test_a_new_stream_starts_at_nothing(store: Store, epoch: int) -> None:
    del epoch
    resumed = store.resume("st_1", "model-a")
    assert (resumed.blob, resumed.seq, resumed.snapshot, resumed.refused) == (None, 0, None, "")


def test_seq_goes_on_above_what_subscribers_saw_although_the_blob_is_older(store: Store, epoch: int) -> None:
    store.publish("st_1", epoch, snapshot(1), snapshot(1), blob=blob(1, epoch))
    for seq in range(2, 8):
        store.publish("st_1", epoch, delta(seq), snapshot(seq))
    resumed = store.resume("st_1", "model-a")
    assert resumed.blob == blob(1, epoch)
    assert resumed.seq == 7
    assert resumed.snapshot == snapshot(7)


def test_an_older_epoch_writes_nothing_at_all(store: Store, redis: Redis, epoch: int) -> None:
    newer = store.claim("st_1")
    store.publish("st_1", newer, snapshot(1), snapshot(1), blob=blob(1, newer))
    before = {key: redis.dump(key) for key in redis.keys("vigil:*")}
    with pytest.raises(FencedError):
        store.publish("st_1", epoch, delta(2), snapshot(2), blob=blob(2, epoch), opened=(alert(1),))
    with pytest.raises(FencedError):
        store.save_blob("st_1", blob(2, epoch))
    assert {key: redis.dump(key) for key in redis.keys("vigil:*")} == before


def test_a_write_after_delete_is_refused(store: Store, redis: Redis, epoch: int) -> None:
    store.publish("st_1", epoch, snapshot(1), snapshot(1), blob=blob(1, epoch))
    store.delete_stream("st_1")
    with pytest.raises(FencedError):
        store.publish("st_1", epoch, delta(2), snapshot(2))
    assert redis.keys("vigil:stream:*") == []


def test_a_publish_repeated_after_a_lost_reply_changes_nothing(store: Store, redis: Redis, epoch: int) -> None:
    for _ in range(2):
        store.publish("st_1", epoch, snapshot(1), snapshot(1), blob=blob(1, epoch), opened=(alert(1),))
    assert redis.xlen("vigil:stream:st_1:graph") == 1
    assert redis.xlen("vigil:alerts:default:log") == 1
    assert [entry.kind for entry in store.alerts.log("0-0")] == ["opened"]


def test_a_seq_that_goes_back_is_a_bug_and_says_so(store: Store, epoch: int) -> None:
    store.publish("st_1", epoch, snapshot(5), snapshot(5))
    with pytest.raises(AssertionError, match="seq 4 of stream st_1 goes back behind 5"):
        store.publish("st_1", epoch, delta(4), snapshot(4))


def test_an_alert_without_the_blob_that_remembers_it_is_a_bug(store: Store, epoch: int) -> None:
    with pytest.raises(AssertionError, match="together with the blob"):
        store.publish("st_1", epoch, snapshot(1), snapshot(1), opened=(alert(1),))


def test_an_alert_and_the_state_that_remembers_it_appear_in_one_step(store: Store, epoch: int) -> None:
    store.publish("st_1", epoch, snapshot(1), snapshot(1), blob=blob(1, epoch, incidents=b"none"))
    store.publish("st_1", epoch, delta(2), snapshot(2), blob=blob(2, epoch, incidents=b"one"), opened=(alert(2),))
    resumed = store.resume("st_1", "model-a")
    assert resumed.blob is not None
    assert resumed.blob.incidents == b"one"
    assert store.alerts.get("al_2") == alert(2)


def test_a_change_of_the_incident_leaves_the_reviewers_words_alone(store: Store, epoch: int) -> None:
    store.publish("st_1", epoch, snapshot(1), snapshot(1), blob=blob(1, epoch), opened=(alert(1),))
    acked = store.alerts.review("al_1", "ack", reason="looking", by="mo", at_s=1010.0)
    assert acked is not None
    change = AlertChange("al_1", "critical", "closed", 1020.0)
    store.publish("st_1", epoch, delta(2), snapshot(2), blob=blob(2, epoch), changed=(change,))
    now = store.alerts.get("al_1")
    assert now is not None
    assert (now.state, now.severity, now.incident_state, now.closed_at_s) == ("acked", "critical", "closed", 1020.0)
    assert now.notes == acked.notes
    assert [entry.kind for entry in store.alerts.log("0-0")] == ["opened", "reviewed", "changed"]


def test_a_change_of_an_unknown_alert_makes_none(store: Store, redis: Redis, epoch: int) -> None:
    change = AlertChange("al_9", "critical", "closed", 1020.0)
    store.publish("st_1", epoch, snapshot(1), snapshot(1), blob=blob(1, epoch), changed=(change,))
    assert store.alerts.get("al_9") is None
    assert redis.xlen("vigil:alerts:default:log") == 0


def test_the_graph_log_stays_bounded(store: Store, redis: Redis, epoch: int) -> None:
    for seq in range(1, MAX_MESSAGES + 400):
        store.publish("st_1", epoch, delta(seq), snapshot(seq))
    assert MAX_MESSAGES <= int(str(redis.xlen("vigil:stream:st_1:graph"))) <= MAX_MESSAGES + 100


def test_publish_tells_whether_somebody_watches(store: Store, redis: Redis, epoch: int) -> None:
    assert not store.publish("st_1", epoch, snapshot(1), snapshot(1))
    redis.set("vigil:stream:st_1:watched", b"1", ex=5)
    assert store.publish("st_1", epoch, delta(2), snapshot(2))
    assert store.is_watched("st_1")


def test_the_state_of_another_model_is_refused_in_words_and_seq_still_goes_on(store: Store, epoch: int) -> None:
    store.publish("st_1", epoch, snapshot(4), snapshot(4), blob=blob(4, epoch))
    resumed = store.resume("st_1", "model-b")
    assert resumed.blob is None
    assert resumed.seq == 4
    assert resumed.refused == "stored stream state belongs to model model-a, this one is model-b"


def test_torn_state_is_refused_in_words(store: Store, redis: Redis, epoch: int) -> None:
    store.save_blob("st_1", blob(4, epoch))
    whole = redis.get("vigil:stream:st_1:blob")
    assert isinstance(whole, bytes)
    redis.set("vigil:stream:st_1:blob", whole[:1000])
    assert "cannot be read" in store.resume("st_1", "model-a").refused


def test_state_over_64_kib_is_refused_with_the_size_of_each_part(store: Store, epoch: int) -> None:
    with pytest.raises(ValueError, match=r"'incidents': 40000"):
        store.save_blob("st_1", blob(1, epoch, incidents=bytes(40_000)))


def test_a_blob_comes_back_byte_for_byte() -> None:
    made = StreamBlob("m", 3, 9, 1.5, b"\x01\x02", b"\x03", b"a", b"p", b"i")
    assert decode_blob(encode_blob(made), "m") == made
    assert len(encode_blob(blob(1, 1))) < MAX_BLOB_BYTES
    with pytest.raises(StateError, match="belongs to model m"):
        decode_blob(encode_blob(made), "n")


def test_a_publish_costs_well_under_a_frame(store: Store, epoch: int) -> None:
    store.publish("st_1", epoch, snapshot(1), snapshot(1))
    began = time.perf_counter()
    for seq in range(2, 202):
        store.publish("st_1", epoch, delta(seq), snapshot(seq))
    each_ms = (time.perf_counter() - began) * 1000 / 200
    assert each_ms < 20.0


def test_a_full_server_takes_nothing_of_a_publish_and_all_of_it_later(store: Store, redis: Redis, epoch: int) -> None:
    store.publish("st_1", epoch, snapshot(1), snapshot(1), blob=blob(1, epoch))
    before = {key: redis.dump(key) for key in redis.keys("vigil:*")}
    redis.config_set("maxmemory", "1mb")
    try:
        with pytest.raises(RedisError, match="maxmemory"):
            store.publish("st_1", epoch, delta(2), snapshot(2), blob=blob(2, epoch), opened=(alert(1),))
        assert {key: redis.dump(key) for key in redis.keys("vigil:*")} == before
    finally:
        redis.config_set("maxmemory", "512mb")
    store.publish("st_1", epoch, delta(2), snapshot(2), blob=blob(2, epoch), opened=(alert(1),))
    assert store.alerts.get("al_1") == alert(1)


def test_a_connection_that_was_cut_is_made_again(store: Store, redis: Redis, epoch: int) -> None:
    store.publish("st_1", epoch, snapshot(1), snapshot(1))
    redis.client_kill_filter(_type="normal", skipme=True)
    store.publish("st_1", epoch, delta(2), snapshot(2))
    assert store.resume("st_1", "model-a").seq == 2
