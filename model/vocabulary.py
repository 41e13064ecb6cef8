"""The words a network speaks: object classes, predicates, and how Action Genome's classes map onto them. Pure data, no torch.

`moderation-v1` is COCO's 80 things (Lin et al. 2014) united with the 21 Action Genome objects (Ji et al. 2020) that COCO lacks,
and Action Genome's 26 predicates in their official order and three groups.
"""

from dataclasses import dataclass

COCO: tuple[str, ...] = tuple(
    "person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,parking meter,bench,bird,cat,dog,"
    "horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,handbag,tie,suitcase,frisbee,skis,snowboard,sports ball,kite,"
    "baseball bat,baseball glove,skateboard,surfboard,tennis racket,bottle,wine glass,cup,fork,knife,spoon,bowl,banana,apple,sandwich,"
    "orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,potted plant,bed,dining table,toilet,tv,laptop,mouse,remote,keyboard,"
    "cell phone,microwave,oven,toaster,sink,refrigerator,book,clock,vase,scissors,teddy bear,hair drier,toothbrush".split(",")
)

ACTION_GENOME_ONLY: tuple[str, ...] = tuple(
    "blanket,box,broom,cabinet,clothes,door,doorknob,doorway,floor,groceries,light,medicine,mirror,paper,picture,pillow,shelf,shoe,"
    "towel,vacuum,window".split(",")
)

ATTENTION: tuple[str, ...] = ("looking_at", "not_looking_at", "unsure")
SPATIAL: tuple[str, ...] = ("above", "beneath", "in_front_of", "behind", "on_the_side_of", "in")
CONTACTING: tuple[str, ...] = (
    "carrying",
    "covered_by",
    "drinking_from",
    "eating",
    "have_it_on_the_back",
    "holding",
    "leaning_on",
    "lying_on",
    "not_contacting",
    "other_relationship",
    "sitting_on",
    "standing_on",
    "touching",
    "twisting",
    "wearing",
    "wiping",
    "writing_on",
)
NULL_PREDICATES: frozenset[str] = frozenset({"not_looking_at", "unsure", "not_contacting", "other_relationship"})
"""States that mean "nothing": they live inside the filter and are never published."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Object classes (C) and predicates (K, attention then spatial then contacting) by name; the index is the order."""

    name: str
    objects: tuple[str, ...]
    predicates: tuple[str, ...]


MODERATION_V1 = Vocabulary("moderation-v1", COCO + ACTION_GENOME_ONLY, ATTENTION + SPATIAL + CONTACTING)

ACTION_GENOME_OBJECTS: dict[str, tuple[str, ...]] = {
    "person": ("person",),
    "bag": ("backpack", "handbag", "suitcase"),
    "bed": ("bed",),
    "blanket": ("blanket",),
    "book": ("book",),
    "box": ("box",),
    "broom": ("broom",),
    "chair": ("chair", "bench"),
    "closet/cabinet": ("cabinet",),
    "clothes": ("clothes",),
    "cup/glass/bottle": ("cup", "wine glass", "bottle"),
    "dish": ("bowl",),
    "door": ("door",),
    "doorknob": ("doorknob",),
    "doorway": ("doorway",),
    "floor": ("floor",),
    "food": ("banana", "apple", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake"),
    "groceries": ("groceries",),
    "laptop": ("laptop",),
    "light": ("light",),
    "medicine": ("medicine",),
    "mirror": ("mirror",),
    "paper/notebook": ("paper",),
    "phone/camera": ("cell phone",),
    "picture": ("picture",),
    "pillow": ("pillow",),
    "refrigerator": ("refrigerator",),
    "sandwich": ("sandwich",),
    "shelf": ("shelf",),
    "shoe": ("shoe",),
    "sofa/couch": ("couch",),
    "table": ("dining table",),
    "television": ("tv",),
    "towel": ("towel",),
    "vacuum": ("vacuum",),
    "window": ("window",),
}
"""Action Genome's 36 classes, in their official order, each as the moderation-v1 classes that count as it."""
