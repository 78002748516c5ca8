import asyncio
import json
from threading import Thread

import pytest

from jconv.demo.hub import Hub


async def read(hub, count):
    found = []
    listening = hub.listen()
    async for event in listening:
        kind, data = event.decode().rstrip().split("\n")
        found.append((kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
        if len(found) == count:
            await listening.aclose()
            return found
    return found


def test_who_comes_later_hears_the_last_of_each_kind():
    hub = Hub()
    for n in range(3):
        hub.say("state", {"n": n})
    hub.say("net", "a\nb")
    hub.say("old", 1)
    hub.forget("old", "never said")
    assert asyncio.run(read(hub, 2)) == [("state", {"n": 2}), ("net", "a\nb")]
    assert not hub.watched


def test_a_slow_listener_keeps_one_message_of_each_kind():
    async def main():
        hub = Hub()
        listening = hub.listen()
        hub.say("state", 0)
        await anext(listening)
        assert hub.watched
        for n in range(10_000):
            hub.say("state", n)
        await asyncio.sleep(0)
        (listener,) = hub.listeners
        waiting = dict(listener.waiting)
        assert await anext(listening) == b"event: state\ndata: 9999\n\n"
        await listening.aclose()
        return waiting

    assert list(asyncio.run(main())) == ["state"]


def test_what_is_said_in_another_thread_is_heard():
    async def main():
        hub = Hub()
        reading = asyncio.ensure_future(read(hub, 1))
        await asyncio.sleep(0)
        Thread(target=hub.say, args=("state", 3)).start()
        return await reading

    assert asyncio.run(main()) == [("state", 3)]


def test_closing_ends_every_listener():
    async def main():
        hub = Hub()
        reading = [asyncio.ensure_future(read(hub, 100)) for _ in range(2)]
        await asyncio.sleep(0)
        hub.close()
        return await asyncio.wait_for(asyncio.gather(*reading), 5), hub.watched

    assert asyncio.run(main()) == ([[], []], False)


def test_what_is_no_number_of_json_is_refused():
    with pytest.raises(ValueError, match="JSON"):
        Hub().say("state", float("nan"))
