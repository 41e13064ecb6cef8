"""Mini subsets of Action Genome by a rule that anyone can repeat: which videos, and how they are cut. Pure.

Videos are ordered by the SHA-1 of their name (`001YG`), and the first N of a split are taken: no judgement, no seed, and stable when
others are added. Mini Action Genome: 3,884 of train and 538 of test. Mini Charades: 1,224 of those test videos of Action Genome that a
Charades CSV lists. Frames of a video are cut into clips of 10 to 20 in order, as equal as can be; videos with fewer than 10 are not taken.
"""

from collections.abc import Collection, Sequence
from hashlib import sha1
from itertools import pairwise

import msgspec

from model.annotations import Clip

MINI_TRAIN, MINI_TEST = 3884, 538
MINI_CHARADES = 1224
MIN_FRAMES, MAX_FRAMES = 10, 20


def first_by_hash(clips: Sequence[Clip], count: int, among: Collection[str] | None = None) -> tuple[Clip, ...]:
    """The first `count` clips of at least MIN_FRAMES by the SHA-1 of their name, only those named in `among` where given."""
    long_enough = [clip for clip in clips if len(clip.frames) >= MIN_FRAMES and (among is None or clip.name in among)]
    return tuple(sorted(long_enough, key=lambda clip: sha1(clip.name.encode()).hexdigest())[:count])


def cut(clip: Clip) -> tuple[Clip, ...]:
    """The clip in parts of at most MAX_FRAMES, equal to within one frame, named NAME-0, NAME-1, ...; itself where it is short enough."""
    count = -(-len(clip.frames) // MAX_FRAMES)
    if count <= 1:
        return (clip,)
    bounds = [len(clip.frames) * part // count for part in range(count + 1)]
    parts = enumerate(pairwise(bounds))
    return tuple(msgspec.structs.replace(clip, name=f"{clip.name}-{part}", frames=clip.frames[low:high]) for part, (low, high) in parts)
