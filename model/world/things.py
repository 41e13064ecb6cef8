"""The things of the box world: sizes, groups, name pools and the names a detector confuses. A table; knows no randomness."""

import numpy as np
import numpy.typing as npt

from model.vocabulary import MODERATION_V1

Float = npt.NDArray[np.float64]
Int = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

TABLE = """
seat  chair .5 .5 .9          | seat  couch 1.9 .9 .85        | seat  bench 1.4 .45 .6       | seat  toilet .4 .65 .75
bed   bed 1.6 2. .6           | table dining_table 1.4 .8 .74 | ride  bicycle 1.7 .5 1.      | ride  motorcycle 2. .7 1.1
ride  horse 2.1 .6 1.6        | board skateboard .75 .2 .12   | board surfboard 2. .5 .1     | board snowboard 1.5 .3 .08
board skis 1.6 .3 .06         | drink bottle .075 .075 .25    | drink wine_glass .08 .08 .2  | drink cup .085 .085 .11
tool  bowl .17 .17 .08        | tool  fork .19 .025 .02       | tool  knife .22 .03 .02      | tool  spoon .17 .04 .02
food  banana .18 .05 .05      | food  apple .08 .08 .08       | food  sandwich .14 .11 .06   | food  orange .08 .08 .08
food  carrot .17 .03 .03      | food  hot_dog .15 .05 .05     | food  pizza .28 .28 .04      | food  donut .1 .1 .04
food  cake .22 .22 .12        | food  broccoli .12 .12 .1     | pc    laptop .34 .24 .22     | tool  mouse .065 .11 .035
tool  remote .17 .045 .02     | pc    keyboard .44 .14 .03    | phone cell_phone .15 .075 .012 | book book .24 .18 .035
tool  scissors .18 .07 .012   | bulk  teddy_bear .25 .22 .35  | tool  hair_drier .2 .08 .22  | tool  toothbrush .18 .02 .02
ball  sports_ball .16 .16 .16 | ball  frisbee .25 .25 .03     | tool  baseball_bat .85 .06 .06 | tool tennis_racket .68 .26 .03
tool  baseball_glove .25 .2 .12 | bulk umbrella .9 .9 .8      | bulk  handbag .33 .14 .28    | bulk  suitcase .45 .27 .65
pack  backpack .32 .2 .46     | tie   tie .08 .02 .45         | fix   tv 1.1 .08 .65         | fix   microwave .5 .35 .3
fix   oven .6 .6 .9           | fix   toaster .28 .18 .19     | fix   sink .6 .45 .2         | fix   refrigerator .75 .7 1.75
fix   potted_plant .35 .35 .6 | fix   clock .3 .05 .3         | fix   vase .15 .15 .3        | pet   dog .75 .25 .55
pet   cat .45 .18 .28         | car   car 4.3 1.8 1.5        | cover blanket 1.3 1.2 .12
rest  pillow .5 .35 .15       | bulk  box .4 .3 .3           | bulk  groceries .35 .2 .4
tool  broom .3 .06 1.3        | bulk  vacuum .35 .3 1.1      | cloth towel .35 .1 .45
wear  clothes .4 .12 .5       | wear  shoe .28 .1 .1         | book  paper .21 .3 .01
tool  medicine .05 .05 .09    | fix   cabinet .9 .45 1.2     | fix   shelf .8 .3 1.5
fix   door .85 .06 2.         | fix   window 1.2 .06 1.1     | fix   mirror .6 .04 .9
fix   picture .5 .03 .4       | fix   light .3 .3 .35
"""
"""Group, class, width x depth x height in metres."""

_ROWS = [cell.split() for line in TABLE.strip().splitlines() for cell in line.split("|")]
CLASSES: tuple[str, ...] = tuple(row[1].replace("_", " ") for row in _ROWS)
GROUPS: dict[str, tuple[str, ...]] = {
    group: tuple(row[1].replace("_", " ") for row in _ROWS if row[0] == group) for group in dict.fromkeys(row[0] for row in _ROWS)
}
GROUP_OF: dict[str, str] = {name: group for group, names in GROUPS.items() for name in names}
INDEX: dict[str, int] = {name: index for index, name in enumerate(MODERATION_V1.objects)}
PERSON = INDEX["person"]
NUM_CLASSES = len(MODERATION_V1.objects)

SIZE_C3: Float = np.full((NUM_CLASSES, 3), 0.1)
"""Typical size by vocabulary index; classes that the world lacks have a size that no scene draws."""
for _row in _ROWS:
    SIZE_C3[INDEX[_row[1].replace("_", " ")]] = [float(value) for value in _row[2:]]

SEAT_HEIGHT_C: Float = np.ones(NUM_CLASSES)
"""Where one sits, as a share of the thing's height."""
for _name, _share in {
    "chair": 0.5, "couch": 0.5, "bench": 0.75, "toilet": 0.55, "bed": 0.9, "bicycle": 0.85, "motorcycle": 0.75, "horse": 0.85,
}.items():  # fmt: skip
    SEAT_HEIGHT_C[INDEX[_name]] = _share


def pool(text: str) -> Int:
    """Class indices from "chair*9, @drink*2, dining table": a name or an @group, repeated as often as it should be drawn."""
    indices: list[int] = []
    for item in text.split(","):
        name, _, times = item.strip().partition("*")
        names = GROUPS[name[1:]] if name.startswith("@") else (name,)
        indices += [INDEX[one] for one in names] * int(times or 1)
    return np.array(indices)


def is_any(classes: Int, text: str) -> Bool:
    """Where `classes` is one of a pool's."""
    return np.isin(classes, pool(text))


SIT_ON = pool("chair*9, couch*5, bed*4, bench*2, toilet, @ride, dining table")
LIE_ON = pool("bed*3, couch*2, bench")
STAND_ON = pool("bed*6, couch*2, skateboard*2, surfboard, snowboard, skis, chair, dining table")
ROMP_ON = pool("bed*3, couch")
HELD = pool(
    "@drink*3, @food, @tool, @ball, cell phone*4, book*3, cup*2, bottle*2, laptop, @bulk, cat, skateboard, potted plant, vase, bowl, dog,"
    "pillow, towel*2, clothes, shoe, paper*2, box*2, broom, medicine"
)
ON_TABLE = pool(
    "@drink*4, @food, bowl, fork, knife, spoon, cell phone, book*2, laptop*2, keyboard, mouse, vase, potted plant, remote, microwave,"
    "toaster, scissors, tv, clock, teddy bear, handbag, paper*2, box, groceries, medicine, towel, light"
)
AROUND = pool(
    "@seat, chair*3, couch, @fix, tv, refrigerator, @pet, dog, handbag, suitcase, backpack, bicycle, motorcycle, car, bed, dining table,"
    "potted plant, @ball, skateboard, horse, umbrella, teddy bear, bottle, book, shoe, box, vacuum, broom, clothes, towel, pillow"
)
FLANKING = pool("potted plant*4, cabinet*2, light*2, box, shelf, chair, suitcase, handbag, refrigerator, vase, oven, dog, vacuum")
"""What stands right beside seats and beds."""
AT_THE_WALL = pool(
    "tv*2, cabinet*2, shelf*2, door*2, window*2, mirror, picture*2, clock, potted plant*2, refrigerator, couch, chair, bed, light"
)
"""What stands or hangs behind people."""
HUNG = "tv, clock, microwave, picture, mirror, window, light"
FLYING = "sports ball*4, frisbee*2, teddy bear, bottle, cup, book, pillow"
IN_THE_AIR = pool(FLYING)
WORN = pool("backpack*2, handbag, tie*2")
GHOST = pool(
    "laptop*2, tie*4, bottle, cup, cell phone*2, book*2, remote, chair*2, handbag*2, sports ball, backpack, tv, knife, dog, bowl, frisbee"
)

SMALL = "@drink, @food, @tool, @ball, cell phone, book"
UPRIGHT = "book, cell phone, remote, toothbrush, fork, knife, spoon, banana, carrot, tennis racket, baseball bat, frisbee"
"""Long or flat things that a hand often turns on end."""

CONFUSED: dict[str, str] = {
    "cup": "bottle, bowl, vase, wine glass", "bottle": "vase, cup", "chair": "couch, bench", "couch": "chair, bed", "bed": "couch",
    "dining table": "bench, bed, laptop", "book": "laptop, cell phone", "cell phone": "remote, book", "handbag": "backpack, suitcase",
    "backpack": "handbag, suitcase", "laptop": "tv, book", "blanket": "bed, towel", "pillow": "teddy bear, couch",
    "cabinet": "refrigerator", "paper": "book", "box": "suitcase", "shelf": "cabinet", "mirror": "picture, window",
    "picture": "tv, mirror", "window": "tv, door", "dog": "cat", "bowl": "cup", "vase": "bottle", "frisbee": "sports ball",
    "sports ball": "frisbee, apple, orange", "knife": "fork, toothbrush", "teddy bear": "dog", "cat": "dog", "remote": "cell phone",
}  # fmt: skip
"""Names a detector gives instead."""
