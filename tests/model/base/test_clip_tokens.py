"""The tokenizer beside the weights: byte pairs merged by hand-checked rules, from either form of its files."""

import json
from pathlib import Path

import pytest

from model.base.clip_tokens import load_tokenizer
from tests.model.base.tiny import TINY, WORDS, write_tokenizer


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("a cat", ["a</w>", "cat</w>"]),
        ("A  CAT", ["a</w>", "cat</w>"]),
        ("cab", ["ca", "b</w>"]),
        ("at/x", ["at</w>", "/</w>", "x</w>"]),
        ("", []),
    ],
)
def test_sentences_become_byte_pairs_between_start_and_end(tmp_path: Path, sentence: str, words: list[str]) -> None:
    write_tokenizer(tmp_path)
    expected = ["<|startoftext|>", *words, "<|endoftext|>"]
    assert load_tokenizer(tmp_path, TINY.num_tokens).encode(sentence).ids == [WORDS.index(word) for word in expected]


def test_one_file_serves_as_well_as_two_and_its_padding_is_not_taken_over(tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    merged = load_tokenizer(tmp_path, TINY.num_tokens)
    merged.enable_padding(length=9)
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "tokenizer.json").write_text(merged.to_str())
    merged.no_padding()
    assert load_tokenizer(tmp_path / "one", TINY.num_tokens).encode("a cat of x").ids == merged.encode("a cat of x").ids


def test_missing_foreign_and_broken_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no tokenizer: expected tokenizer\.json, or vocab\.json and merges\.txt"):
        load_tokenizer(tmp_path, TINY.num_tokens)
    write_tokenizer(tmp_path)
    with pytest.raises(ValueError, match=f"has {TINY.num_tokens} tokens, the weights have 49408"):
        load_tokenizer(tmp_path, 49408)
    (tmp_path / "vocab.json").write_text(json.dumps({"a": 0}))
    with pytest.raises(ValueError, match="no byte-pair vocabulary of CLIP"):
        load_tokenizer(tmp_path, 1)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match=r"tokenizer\.json is no tokenizer"):
        load_tokenizer(tmp_path, TINY.num_tokens)


def test_a_tokenizer_without_start_and_end_is_refused(tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    plain = json.loads(load_tokenizer(tmp_path, TINY.num_tokens).to_str())
    plain["post_processor"] = None
    (tmp_path / "tokenizer.json").write_text(json.dumps(plain))
    with pytest.raises(ValueError, match="does not put sentences between"):
        load_tokenizer(tmp_path, TINY.num_tokens)
