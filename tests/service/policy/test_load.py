"""Policy files: what is read, and every way to be refused with file and line."""

from pathlib import Path

import pytest

from service.policy import PolicyError, load_policies, parse_policies
from service.policy.rules import Absent, All, Count, Either, Escalation, Excuse, Not, Policy, Present, Relation, Sequence

SHIPPED = Path(__file__).parents[3] / "deploy" / "policies"
PUBLISHED_V0 = ("beneath", "in_front_of", "holding", "sitting_on", "standing_on", "touching", "wearing")
DESIGN = """
- name: knife-in-hand
  severity: critical            # info low medium high critical
  mode: enforce                 # shadow | flag | enforce
  when: {relation: {subject: person, predicate: [holding, carrying], object: knife, min_prob: 0.6}}
  for: 1s                       # must hold this long
  unless: {relation: {predicate: touching, object: food}, within: 10s}
  cooldown: 60s
"""
KINDS = "relation, zone, count, absent, all, any, not, sequence"
KEYS = "name, description, severity, mode, when, for, within, unless, cooldown, escalate, streams"
FOOD = ("banana", "apple", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake")


def findings(text: str) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        parse_policies(text, "p.yaml")
    return str(caught.value).splitlines()


def rule(body: str) -> str:
    """A policy whose `when` is on line 2."""
    return f"- name: a\n  when: {body}\n"


def test_the_policy_of_the_design_is_read_as_meant() -> None:
    (policy,) = parse_policies(DESIGN).policies
    assert policy == Policy(
        name="knife-in-hand",
        severity="critical",
        mode="enforce",
        when=Relation(subject=("person",), predicates=("holding", "carrying"), object=("knife",), min_prob=0.6),
        for_s=1.0,
        unless=Excuse(Relation(predicates=("touching",), object=FOOD), 10.0),
        cooldown_s=60.0,
    )


@pytest.mark.parametrize(
    ("body", "when"),
    [
        ("{relation: {predicate: any}}", Relation()),
        (
            "{relation: {subject: any, predicate: holding, object: [cup, bag]}}",
            Relation((), ("holding",), ("cup", "backpack", "handbag", "suitcase")),
        ),
        ("{zone: {name: door, label: person}}", Present(("person",), "door")),
        ("{count: {label: person, at_least: 3, at_most: 5}}", Count(Present(("person",)), 3, 5)),
        ("{count: {label: person, zone: door, at_most: 0}}", Count(Present(("person",), "door"), None, 0)),
        ("{absent: {label: person, for: 2m}}", Absent(Present(("person",)), 120.0)),
        ("{absent: {relation: {predicate: touching}}}", Absent(Relation(predicates=("touching",)))),
        ("{not: {zone: {name: door}}}", Not(Present((), "door"))),
        ("{any: [{zone: {name: a}}, {zone: {name: b}}]}", Either((Present((), "a"), Present((), "b")))),
        ("{all: [{zone: {name: a}}, {zone: {name: b}}]}", All((Present((), "a"), Present((), "b")))),
        ("{all: {of: [{zone: {name: a}}], linked: false}}", All((Present((), "a"),), linked=False)),
        (
            "{sequence: {first: {zone: {name: a}}, then: {zone: {name: b}}, within: 500ms}}",
            Sequence(Present((), "a"), Present((), "b"), 0.5),
        ),
    ],
)
def test_every_condition_is_read(body: str, when: object) -> None:
    assert parse_policies(rule(body)).policies[0].when == when


def test_the_other_fields_are_read() -> None:
    text = (
        rule("{zone: {name: a}}")
        + "  streams: {kind: [kids, teens], site: '7'}\n  escalate: {after: 1h, severity: high}\n  for: 2s\n  within: 5s\n"
    )
    (policy,) = parse_policies(text).policies
    assert policy.streams == {"kind": ("kids", "teens"), "site": ("7",)}
    assert policy.escalate == Escalation(3600.0, "high")
    assert (policy.for_s, policy.within_s, policy.severity, policy.mode) == (2.0, 5.0, "medium", "flag")


@pytest.mark.parametrize("text", ["", "# nothing\n", "[]"])
def test_a_file_without_policies_is_sound(text: str) -> None:
    assert parse_policies(text).policies == ()


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("{relation: {subject: persn, predicate: holding}}", "unknown label 'persn'; did you mean 'person'?"),
        ("{relation: {predicate: holding, object: cellphone}}", "unknown label 'cellphone'; did you mean 'cell phone'?"),
        ("{relation: {predicate: holdin}}", "unknown predicate 'holdin'; did you mean 'holding'?"),
        ("{relation: {predicate: sitting on}}", "unknown predicate 'sitting on'; did you mean 'sitting_on'?"),
        ("{relation: {predicate: stabbing_at_length}}", "unknown predicate 'stabbing_at_length'"),
        ("{relation: {predicate: unsure}}", "predicate 'unsure' means that nothing holds and is never published; use not or absent"),
        ("{relation: {subject: person}}", "relation needs a predicate (one, a list, or any)"),
        ("{relation: {predicate: holding, min_prob: 1.5}}", "min_prob must be a number from 0 to 1, not '1.5'"),
        ("{relation: {predicate: []}}", "predicate must be a list that is not empty"),
        ("{relation: {predicate: holding, objct: cup}}", "unknown key 'objct' in relation; did you mean 'object'?"),
        ("{relation: [holding]}", "relation must be a mapping, not a list"),
        ("{relation: }", "relation must be a mapping, not nothing"),
        ("person", "when must be a mapping, not 'person'"),
        ("{}", f"when must have exactly one of {KINDS}: it has none"),
        (
            "{zone: {name: a}, count: {label: cup, at_least: 1}}",
            f"when must have exactly one of {KINDS}: it has zone and count; join them with all or any",
        ),
        ("{zone: {label: person}}", "zone needs a name, that of a polygon of the stream"),
        ("{zone: {name: 'a#1'}}", "zone name 'a#1' must not contain #"),
        ("{count: {label: person}}", "count needs at_least of 1 or more, or at_most: else it always holds"),
        ("{count: {label: person, at_least: 0}}", "count needs at_least of 1 or more, or at_most: else it always holds"),
        ("{count: {label: person, at_least: 3, at_most: 2}}", "count can never hold: at_least 3 is above at_most 2"),
        ("{count: {label: person, at_least: 1.5}}", "at_least must be a whole number, not 1.5"),
        ("{count: {label: person, at_least: -1}}", "at_least must be a number from 0 to 1000, not '-1'"),
        ("{absent: {for: 1s}}", "absent needs either a label (and perhaps a zone) or a relation"),
        ("{absent: {label: cup, for: -1s}}", "for must not be negative, it is '-1s'"),
        ("{all: []}", "all must be a list that is not empty"),
        ("{all: {linked: true}}", "all must be a list of conditions, or {of: [...], linked: false}"),
        ("{sequence: {first: {zone: {name: a}}}}", "sequence needs then and within"),
        (
            "{sequence: {first: {zone: {name: a}}, then: {zone: {name: b}}, within: 0s}}",
            "sequence can never hold: within must be longer than 0s",
        ),
        ("{not: {not: {not: {not: {not: {not: {not: {zone: {name: a}}}}}}}}}", "not is too large: nested deeper than 6"),
    ],
)
def test_a_condition_that_is_wrong_is_said_with_its_line(body: str, sentence: str) -> None:
    assert findings(rule(body)) == [f"p.yaml:2: {sentence}"]


@pytest.mark.parametrize(
    ("field", "sentence"),
    [
        ("severity: hihg", "severity 'hihg' is not one of info, low, medium, high, critical; did you mean 'high'?"),
        ("mode: enforced", "mode 'enforced' is not one of shadow, flag, enforce; did you mean 'enforce'?"),
        ("for: 5", "for '5' is not a duration such as 500ms, 1s, 2m or 1h"),
        ("for: -2s", "for must not be negative, it is '-2s'"),
        ("cooldown: 48h", "cooldown must be 24h at most, it is '48h'"),
        ("within: 2s", "within needs for: how long it must hold inside that window"),
        ("for: 5s\n  within: 2s", "can never hold: for 5 s does not fit within 2 s"),
        ("escalate: {after: 0s, severity: high}", "escalates after 0 s, which is not later than it fires (for 0 s)"),
        ("escalate: {after: 9s, severity: low}", "escalates from medium to low, which is not higher"),
        ("escalate: {after: 9s}", "escalate needs severity"),
        ("unles: {zone: {name: a}}", "unknown key 'unles' in policy; did you mean 'unless'?"),
        (
            "colour: red",
            f"unknown key 'colour' in policy; known are {KEYS}",
        ),
        ("when: {zone: {name: a}}", "key 'when' stands twice in policy"),
        ("streams: [kids]", "streams must be a mapping, not a list"),
    ],
)
def test_a_field_that_is_wrong_is_said_with_its_line(field: str, sentence: str) -> None:
    num_lines = 3 + field.count("\n")
    (found,) = findings(rule("{zone: {name: a}}") + f"  {field}\n")
    place, _, said = found.partition(": ")
    assert said == sentence
    assert place in (f"p.yaml:{line}" for line in range(3, num_lines + 1))


def test_all_that_is_wrong_is_said_at_once() -> None:
    text = rule("{relation: {subject: persn, predicate: holdin}}") + "  for: 5\n" + rule("{zone: {}}")
    assert findings(text) == [
        "p.yaml:2: unknown label 'persn'; did you mean 'person'?",
        "p.yaml:2: unknown predicate 'holdin'; did you mean 'holding'?",
        "p.yaml:3: for '5' is not a duration such as 500ms, 1s, 2m or 1h",
        "p.yaml:4: policy 'a' stands twice; the first is at p.yaml:1",
        "p.yaml:5: zone needs a name, that of a polygon of the stream",
    ]


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("- name: a\n  when: {relation: [\n", 3, "broken YAML: "),
        ("- name: a\n\twhen: 3\n", 2, "broken YAML: "),
        ("- name: *nobody\n", 1, "broken YAML: found undefined alias"),
        ("# a\n- name: \x07\n", 2, "broken YAML: a character that is not allowed (code 7)"),
        ("name: a\n", 1, "a policy file must be a list, not a mapping"),
        ("- just words\n", 1, "policy must be a mapping, not 'just words'"),
        ("- severity: high\n", 1, "policy needs name and when"),
        ("- name: a b\n  when: {zone: {name: a}}\n", 1, "name 'a b' must be up to 64 letters"),
        ("x" * 70_000, 1, "70000 characters, more than 65536"),
        ("[" * 10_000, 1, "broken YAML: nested too deep"),
    ],
)
def test_a_file_that_is_broken_is_said_with_its_line(text: str, line: int, part: str) -> None:
    (found,) = findings(text)
    assert found.startswith(f"p.yaml:{line}: {part}")


def test_aliases_cannot_blow_a_policy_up() -> None:
    lines = ["- name: a", "  when: &x0 {zone: {name: a}}"]
    for level in range(1, 6):
        lines += [f"- name: a{level}", f"  when: &x{level} {{all: [{', '.join([f'*x{level - 1}'] * 10)}]}}"]
    assert any("more than 64 conditions" in found for found in findings("\n".join(lines)))


def test_held_back_predicates_are_warned_about_not_refused() -> None:
    policies = parse_policies(DESIGN, "p.yaml", published=PUBLISHED_V0)
    assert [str(warning) for warning in policies.warnings] == [
        "p.yaml:5: warning: predicate 'carrying' is held back: the model in use never publishes it, so it adds nothing"
    ]
    alone = parse_policies(rule("{relation: {predicate: lying_on}}"), "p.yaml", published=PUBLISHED_V0)
    assert "so this relation never holds" in str(alone.warnings[0])


def test_the_shipped_policies_use_only_what_the_shipped_checkpoint_publishes() -> None:
    policies = load_policies(SHIPPED, published=PUBLISHED_V0)
    assert policies.warnings == ()
    assert {"person-holding-cup", "knife-in-hand", "crowd"} <= {policy.name for policy in policies.policies}


def test_a_folder_is_one_set_and_names_are_unique_over_its_files(tmp_path: Path) -> None:
    (tmp_path / "1.yaml").write_text(rule("{zone: {name: a}}"))
    (tmp_path / "2.yaml").write_text(rule("{zone: {name: b}}").replace("name: a\n", "name: b\n"))
    assert [policy.name for policy in load_policies(tmp_path).policies] == ["a", "b"]
    (tmp_path / "3.yaml").write_text(rule("{zone: {name: a}}"))
    with pytest.raises(PolicyError, match=r"3\.yaml:1: policy 'a' stands twice; the first is at .*1\.yaml:1"):
        load_policies(tmp_path)


def test_a_folder_or_file_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"has no \*\.yaml file"):
        load_policies(tmp_path)
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PolicyError, match="not UTF-8 text"):
        load_policies(tmp_path / "a.yaml")
    with pytest.raises(FileNotFoundError):
        load_policies(tmp_path / "none.yaml")


def test_a_stream_may_ask_for_some_policies_only() -> None:
    both = parse_policies(rule("{zone: {name: a}}") + rule("{zone: {name: b}}").replace("name: a\n", "name: b\n"))
    assert both.only(None) is both
    assert [policy.name for policy in both.only(("b", "unknown")).policies] == ["b"]
