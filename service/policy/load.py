"""From policy files to a PolicySet, or every reason why not, each with file and line."""

from collections.abc import Collection
from pathlib import Path

from model.vocabulary import MODERATION_V1, Vocabulary
from service.policy.entry import EntryReader
from service.policy.rules import Finding, Policy, PolicyError, PolicySet
from service.policy.source import Source
from service.policy.words import Words

MAX_TEXT_CHARS = 64 * 1024
MAX_POLICIES = 200


def parse_policies(
    text: str, source: str = "policies.yaml", *, vocabulary: Vocabulary = MODERATION_V1, published: Collection[str] | None = None
) -> PolicySet:
    """PolicyError (a ValueError) with every finding. With the `published` predicates of a checkpoint, others are warned about."""
    return _read_all(((source, text),), Words(vocabulary, published))


def load_policies(path: Path, *, vocabulary: Vocabulary = MODERATION_V1, published: Collection[str] | None = None) -> PolicySet:
    """One YAML file, or every *.yaml of a folder in order of name. PolicyError as above, OSError when it cannot be read."""
    files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    if not files:
        raise PolicyError((Finding(str(path), 1, "the folder has no *.yaml file"),))
    try:
        texts = tuple((str(file), file.read_text(encoding="utf-8")) for file in files)
    except UnicodeDecodeError as error:
        raise PolicyError((Finding(str(path), 1, f"not UTF-8 text: {error.reason} at byte {error.start}"),)) from error
    return _read_all(texts, Words(vocabulary, published))


def _read_all(texts: tuple[tuple[str, str], ...], words: Words) -> PolicySet:
    policies: list[Policy] = []
    findings: list[Finding] = []
    seen: dict[str, str] = {}
    for name, text in texts:
        source = Source(name)
        policies.extend(_read_file(source, text, words, seen))
        findings.extend(source.findings)
    if any(not finding.is_warning for finding in findings):
        raise PolicyError(tuple(findings))
    return PolicySet(tuple(policies), tuple(findings), "\n".join(text for _, text in texts))


def _read_file(source: Source, text: str, words: Words, seen: dict[str, str]) -> list[Policy]:
    if len(text) > MAX_TEXT_CHARS:
        source.findings.append(Finding(source.name, 1, f"{len(text)} characters, more than {MAX_TEXT_CHARS}"))
        return []
    document = source.compose(text)
    if document is None or document.value in ("", []):
        return []
    nodes = source.items(document, "a policy file")
    if len(nodes) > MAX_POLICIES:
        source.error(document, f"{len(nodes)} policies, more than {MAX_POLICIES}")
        return []
    reader = EntryReader(source, words, seen)
    read = [reader.read(node) for node in nodes]
    return [policy for policy in read if policy is not None]
