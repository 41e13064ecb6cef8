"""RealMini: key frames of sixteen real clips, labelled by hand. The labels live here, the pixels stay with their owners.

Key frames lie in the middle of n equal parts of each clip: frame floor((k + 1/2) F / n), k < n, of F frames; n is 3 for each clip of
a person signing, else 4 to 8. Every person is listed, and every thing of moderation-v1 of 12 pixels or more that a moderator would
name and a person could use or touch; of rows of like things (chairs, crockery on shelves, cushions) those beside people.
Clothes that are worn, light, pictures and walls are not listed. The frames are never trained on and choose no constants.
"""
