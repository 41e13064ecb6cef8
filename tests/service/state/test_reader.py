"""Waiting for live data, on real servers."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from service.state.reader import Reader
from service.state.store import Store
from service.types import GraphMessage, GraphSnapshot
from tests.service.state.made import alert, blob, delta, snapshot, spec


@pytest.fixture
async def reader(server_url: str) -> AsyncIterator[Reader]:
    opened = Reader.connect(server_url)
    yield opened
    await opened.close()


@pytest.fixture
def epoch(store: Store) -> int:
    store.put_stream(spec())
    return store.claim("st_1")


def publish(store: Store, epoch: int, seqs: range) -> None:
    for seq in seqs:
        store.publish("st_1", epoch, snapshot(seq) if seq == 1 else delta(seq), snapshot(seq))


async def test_a_subscriber_gets_the_snapshot_then_each_delta(store: Store, reader: Reader, epoch: int) -> None:
    assert await reader.snapshot("st_1") is None
    publish(store, epoch, range(1, 4))
    whole = await reader.snapshot("st_1")
    assert whole is not None
    assert whole.is_snapshot
    assert msgspec.json.decode(whole.data, type=GraphSnapshot) == snapshot(3)
    publish(store, epoch, range(4, 6))
    messages = await reader.messages("st_1", whole.seq, 0.5)
    assert [msgspec.json.decode(message.data, type=GraphMessage) for message in messages] == [delta(4), delta(5)]


async def test_a_wait_ends_with_the_first_message_or_empty_handed(store: Store, reader: Reader, epoch: int) -> None:
    publish(store, epoch, range(1, 3))
    waiting = asyncio.create_task(reader.messages("st_1", 2, 2.0))
    await asyncio.sleep(0.05)
    publish(store, epoch, range(3, 4))
    assert [message.seq for message in await waiting] == [3]
    assert await reader.messages("st_1", 3, 0.05) == ()


async def test_the_backlog_goes_on_without_a_gap_or_says_that_it_cannot(store: Store, reader: Reader, epoch: int) -> None:
    publish(store, epoch, range(1, 6))
    held = await reader.backlog("st_1", 3)
    assert held is not None
    assert [message.seq for message in held] == [4, 5]
    assert await reader.backlog("st_1", 5) == ()
    assert await reader.backlog("st_1", 99) is None
    everything = await reader.backlog("st_1", 0)
    assert everything is not None
    assert len(everything) == 5


async def test_a_backlog_that_was_cut_off_needs_a_snapshot(store: Store, reader: Reader, epoch: int) -> None:
    publish(store, epoch, range(1, 1002))
    assert await reader.backlog("st_1", 10) is None


async def test_the_preview_is_asked_for_and_the_newest_picture_comes(store: Store, reader: Reader, epoch: int) -> None:
    del epoch
    assert not store.is_watched("st_1")
    await reader.watch_preview("st_1")
    assert store.is_watched("st_1")
    for seq in range(1, 10):
        store.put_preview("st_1", b"jpeg %d" % seq, snapshot(seq))
    newest = await reader.preview("st_1", "0", 0.5)
    assert newest is not None
    assert newest.jpeg == b"jpeg 9"
    assert msgspec.json.decode(newest.graph, type=GraphSnapshot) == snapshot(9)
    assert await reader.preview("st_1", newest.id, 0.05) is None


async def test_alerts_come_as_they_are_raised(store: Store, reader: Reader, epoch: int) -> None:
    end = await reader.alert_log_end()
    waiting = asyncio.create_task(reader.alert_log(end, 2.0))
    await asyncio.sleep(0.05)
    store.publish("st_1", epoch, snapshot(1), snapshot(1), blob=blob(1, epoch), opened=(alert(1),))
    entries = await waiting
    assert [(entry.kind, entry.alert) for entry in entries] == [("opened", alert(1))]
    assert await reader.alert_log(entries[-1].id, 0.05) == ()
