"""Policies over HTTP."""

import httpx

from service.state.store import Store
from tests.service.api.test_streams import URL, problem

GOOD = "- name: door\n  severity: low\n  when: {relation: {subject: person, predicate: touching, object: door, min_prob: 0.5}}\n"
BAD = "- name: door\n  severity: low\n  when:\n    relation: {subject: person, predicate: touchin, object: door}\n"


def test_the_operators_files_are_in_force_until_others_are_put(api: httpx.Client, store: Store) -> None:
    before = api.get("/v1/policies").json()
    assert (before["version"], [policy["name"] for policy in before["policies"]]) == (0, ["person-holding-cup"])
    assert api.post("/v1/streams", json={"url": URL, "policies": ["person-holding-cup"]}).status_code == 201
    put = api.put("/v1/policies", content=GOOD)
    assert put.status_code == 200
    assert put.json()["policies"] == [{"name": "door", "severity": "low", "mode": put.json()["policies"][0]["mode"]}]
    after = api.get("/v1/policies").json()
    assert (after["version"], after["text"]) == (put.json()["version"], GOOD)
    stored = store.get_policies()
    assert stored is not None
    assert stored.text == GOOD


def test_check_names_the_line_and_put_refuses_with_it(api: httpx.Client) -> None:
    checked = api.post("/v1/policies/check", content=BAD)
    assert checked.status_code == 200
    assert checked.json()["ok"] is False
    assert [finding["line"] for finding in checked.json()["findings"]] == [4]
    assert "touchin" in checked.json()["findings"][0]["message"]
    refused = api.put("/v1/policies", content=BAD)
    assert problem(refused, 422, "invalid_policies").startswith("line 4: ")
    assert refused.json()["errors"][0]["where"] == "line 4"
    assert api.get("/v1/policies").json()["version"] == 0


def test_a_good_text_passes_the_check_and_changes_nothing(api: httpx.Client) -> None:
    assert api.post("/v1/policies/check", content=GOOD).json()["ok"] is True
    assert api.get("/v1/policies").json()["version"] == 0


def test_text_that_is_no_text_is_refused(api: httpx.Client) -> None:
    problem(api.put("/v1/policies", content=b"\xff\xfe"), 400, "not_text")
    assert api.put("/v1/policies", content=b"{[").status_code == 422
