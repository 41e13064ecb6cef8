"""CLIP's byte-level BPE tokenizer, from the files that lie beside the weights. Knows no tower.

`tokenizer.json` says everything; older folders hold vocab.json and merges.txt, to which the published rules are added here.
"""

import json
from pathlib import Path

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

START, END = "<|startoftext|>", "<|endoftext|>"
PIECES = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
"""How a sentence falls into words before byte pairs are merged."""


def load_tokenizer(folder: Path, num_tokens: int) -> Tokenizer:
    """The tokenizer of a CLIP with so many tokens; sentences come back between start and end tokens.

    Raises ValueError when the files are missing, unreadable, or of another vocabulary.
    """
    tokenizer = _read(folder)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    if tokenizer.get_vocab_size() != num_tokens:
        raise ValueError(f"the tokenizer in {folder} has {tokenizer.get_vocab_size()} tokens, the weights have {num_tokens}")
    start, end = (tokenizer.token_to_id(token) for token in (START, END))
    ids = tokenizer.encode("a").ids
    if start is None or end is None or ids[0] != start or ids[-1] != end:
        raise ValueError(f"the tokenizer in {folder} does not put sentences between {START} and {END}: 'a' gives {ids}")
    return tokenizer


def _read(folder: Path) -> Tokenizer:
    whole, vocabulary, merges = (folder / name for name in ("tokenizer.json", "vocab.json", "merges.txt"))
    if whole.is_file():
        try:
            return Tokenizer.from_buffer(whole.read_bytes())
        except ValueError as error:
            raise ValueError(f"{whole} is no tokenizer: {error}") from error
    if not (vocabulary.is_file() and merges.is_file()):
        raise ValueError(f"{folder} has no tokenizer: expected tokenizer.json, or vocab.json and merges.txt, beside the weights")
    return _from_merges(vocabulary, merges)


def _from_merges(vocabulary_file: Path, merges_file: Path) -> Tokenizer:
    try:
        vocabulary = json.loads(vocabulary_file.read_bytes())
        rows = [
            tuple(line.split()) for line in merges_file.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#version")
        ]
        merges = [(left, right) for left, right in rows]
        start, end = (START, int(vocabulary[START])), (END, int(vocabulary[END]))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{vocabulary_file} and {merges_file.name} are no byte-pair vocabulary of CLIP: {error}") from error
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, end_of_word_suffix="</w>", unk_token=END))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    split = pre_tokenizers.Split(Regex(PIECES), behavior="removed", invert=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.post_processor = processors.RobertaProcessing(end, start, trim_offsets=False, add_prefix_space=False)
    tokenizer.add_special_tokens([START, END])
    return tokenizer
