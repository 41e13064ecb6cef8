"""RealMini: key frames of sixteen real clips, labelled by hand. The labels live here, the pixels stay with their owners.

Key frames lie in the middle of n equal parts of each clip: frame floor((k + 1/2) F / n), k < n, of F frames; n is 3 for each clip of
a person signing, else 4 to 8. Every person is listed, and every thing of moderation-v1 of 12 pixels or more that a moderator would
name and a person could use or touch; of rows of like things (chairs, crockery, cushions, shelves) only those beside people. So a
prediction about a thing that is not listed is not thereby wrong. Clothes that are worn, light, pictures and walls are not listed.
Every pair of a person and a listed thing of its frame carries all relations that hold (`complete`).

One labeller, from pictures with rulers, each box drawn again over its frame and looked at; a COCO detector's boxes were at hand as
proposals, no relation head's output was. Boxes cover what shows, but for a table that people hide, whose place is known from empty
frames; a bed includes its pillows. Spatial relations are the thing's in the frame of the person's body, as in `model.world.truth`;
a contact that is hidden is judged from the posture (hands on a table seen from behind); a jump is told from neighbouring frames.
Kneeling on one's heels is posture `other` and sitting_on. A head out of frame or covered makes attention unsure.
Labelled a second time, mirrored, half an hour later by the same labeller: 8 frames, 48 boxes, mean IoU .94; 6 of 210 judgements changed
(5 spatial, 1 contact), a lower bound of the noise. The frames are never trained on and choose no constants.
"""
