"""The words a policy may use, and what a wrong one may have meant. Knows the vocabulary, not the file."""

import difflib
from collections.abc import Collection, Iterable

from model.vocabulary import ACTION_GENOME_OBJECTS, NULL_PREDICATES, Vocabulary


class Words:
    """`published` predicates are those that the checkpoint in use ever shows; None: not known."""

    def __init__(self, vocabulary: Vocabulary, published: Collection[str] | None) -> None:
        self._objects = frozenset(vocabulary.objects)
        self._predicates = frozenset(vocabulary.predicates)
        self._groups = {name: members for name, members in ACTION_GENOME_OBJECTS.items() if name not in self._objects}
        self._published = published

    def labels(self, word: str) -> tuple[str, ...]:
        """A class, or the classes of a group such as `food`. ValueError for another word."""
        if word in self._objects:
            return (word,)
        if word in self._groups:
            return self._groups[word]
        raise ValueError(f"unknown label {word!r}{did_you_mean(word, [*self._objects, *self._groups, 'any'])}")

    def predicate(self, word: str) -> str:
        """ValueError for a word that is no predicate or one that means nothing."""
        if word not in self._predicates:
            raise ValueError(f"unknown predicate {word!r}{did_you_mean(word, [*self._predicates, 'any'])}")
        if word in NULL_PREDICATES:
            raise ValueError(f"predicate {word!r} means that nothing holds and is never published; use not or absent")
        return word

    def held_back(self, predicates: Iterable[str]) -> tuple[str, ...]:
        """Those that the checkpoint never publishes."""
        return () if self._published is None else tuple(word for word in predicates if word not in self._published)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A near miss as the end of a sentence, or nothing."""
    near = difflib.get_close_matches(word.lower().replace(" ", "_"), sorted(known), n=1, cutoff=0.6)
    near = near or difflib.get_close_matches(word.lower(), sorted(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""
