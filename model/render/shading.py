"""The shaders of fast frames: one light with soft shadows, point lights, ambient; and one that paints ids. Knows no scene.

Written for software rendering, where every pixel's arithmetic counts: shadows take one filtered tap, highlights and gamma are near
enough (after Karis 2013). Albedo, intensities and gamma mean what they mean in pyrender, so that both look alike.
"""

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from OpenGL import GL

MAX_POINT_LIGHTS = 4

VERTEX = """#version 330 core
layout(location = 0) in vec3 position;
{inputs}
uniform mat4 view;
uniform mat4 model;
uniform mat4 light_view;
uniform vec3 sun_from;
out vec3 at;
out vec3 facing;
out vec2 uv;
out vec3 tint;
out vec3 in_light;
void main() {{
    vec4 world = model * vec4(position, 1.0);
    gl_Position = view * world;
    at = world.xyz;
    facing = {facing};
    uv = {uv};
    tint = {tint};
    vec3 off = normalize(facing) * (dot(facing, sun_from) < 0.0 ? -0.015 : 0.015);
    in_light = (light_view * vec4(at + off, 1.0)).xyz * 0.5 + 0.5;
}}
"""

LIT = """#version 330 core
in vec3 at;
in vec3 facing;
in vec2 uv;
in vec3 tint;
in vec3 in_light;
uniform vec4 colour;
uniform vec3 glow;
uniform float roughness;
uniform vec3 eye;
uniform vec3 ambient;
uniform vec3 sun_from;
uniform vec3 sun;
uniform sampler2DShadow shadow;
uniform int num_points;
uniform vec3 point_at[4];
uniform vec3 point[4];
{sampler}
out vec4 painted;
vec3 albedo;
vec3 lit(vec3 n, vec3 v, vec3 l, vec3 light) {{
    vec3 h = normalize(l + v);
    float nh = clamp(dot(n, h), 0.0, 1.0), lh = clamp(dot(l, h), 0.1, 1.0);
    float a2 = max(roughness * roughness * roughness * roughness, 0.002);
    float d = nh * nh * (a2 - 1.0) + 1.0;
    float shine = 0.04 * a2 / (4.0 * d * d * lh * lh * (roughness + 0.5));
    return max(dot(n, l), 0.0) * light * (0.30 * albedo + 0.318 * shine);
}}
void main() {{
    vec4 base = colour;
    {texel}
    albedo = base.rgb;
    vec3 v = normalize(eye - at);
    vec3 n = normalize(facing);
    n = dot(n, v) < 0.0 ? -n : n;
    vec3 sum = albedo * ambient + glow;
    float nl = dot(n, sun_from);
    if (nl > 0.0)
        sum += texture(shadow, vec3(in_light.xy, in_light.z - 0.0008)) * lit(n, v, sun_from, sun);
    for (int i = 0; i < num_points; i++) {{
        vec3 to = point_at[i] - at;
        float far2 = dot(to, to);
        sum += lit(n, v, to * inversesqrt(far2), point[i] / far2);
    }}
    vec3 root = sqrt(clamp(sum * tint, 0.0, 1.0));
    painted = vec4(root * (1.12 - 0.12 * root), base.a);
}}
"""

IDS = """#version 330 core
in vec2 uv;
uniform vec3 id;
{sampler}
out vec4 painted;
void main() {{
    {cut}
    painted = vec4(id, 1.0);
}}
"""


WHOLE = """#version 330 core
out vec2 uv;
void main() {
    uv = vec2((gl_VertexID << 1) & 2, gl_VertexID & 2);
    gl_Position = vec4(uv * 2.0 - 1.0, 0.0, 1.0);
}
"""

SMOOTH = """#version 330 core
in vec2 uv;
uniform sampler2D texels;
out vec4 painted;
float luma(vec3 c) { return dot(c, vec3(0.299, 0.587, 0.114)); }
void main() {
    vec2 step = 1.0 / vec2(textureSize(texels, 0));
    vec3 centre = texture(texels, uv).rgb;
    float m = luma(centre);
    float nw = luma(textureOffset(texels, uv, ivec2(-1, 1)).rgb), ne = luma(textureOffset(texels, uv, ivec2(1, 1)).rgb);
    float sw = luma(textureOffset(texels, uv, ivec2(-1, -1)).rgb), se = luma(textureOffset(texels, uv, ivec2(1, -1)).rgb);
    float low = min(m, min(min(nw, ne), min(sw, se))), high = max(m, max(max(nw, ne), max(sw, se)));
    painted = vec4(centre, 1.0);
    if (high - low < max(0.04, 0.1 * high))
        return;
    vec2 along = vec2(sw + se - nw - ne, nw + sw - ne - se);
    float reduce = max((nw + ne + sw + se) * 0.03125, 0.0078125);
    along = clamp(along / (min(abs(along.x), abs(along.y)) + reduce), -8.0, 8.0) * step;
    vec3 near = 0.5 * (texture(texels, uv - along / 6.0).rgb + texture(texels, uv + along / 6.0).rgb);
    vec3 wide = 0.5 * near + 0.25 * (texture(texels, uv - along / 2.0).rgb + texture(texels, uv + along / 2.0).rgb);
    float l = luma(wide);
    painted.rgb = l < low || l > high ? near : wide;
}
"""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a primitive's buffers lie: -1 for what it has not."""

    normal: int
    uv: int
    tint: int


class Program:
    """A linked shader whose uniforms are looked up once."""

    def __init__(self, vertex: str, fragment: str) -> None:
        self._id = _linked(vertex, fragment)
        self._at: dict[str, int] = {}

    def use(self) -> None:
        """Make it the current one."""
        GL.glUseProgram(self._id)

    def matrix(self, name: str, value_44: npt.NDArray[np.float32]) -> None:
        """Set a 4x4 matrix given by rows."""
        GL.glUniformMatrix4fv(self._where(name), 1, GL.GL_TRUE, value_44.ctypes.data_as(ctypes.POINTER(ctypes.c_float)))

    def number(self, name: str, value: float) -> None:
        """Set a float."""
        GL.glUniform1f(self._where(name), value)

    def integer(self, name: str, value: int) -> None:
        """Set an int or a texture unit."""
        GL.glUniform1i(self._where(name), value)

    def vector(self, name: str, value: Any) -> None:
        """Set three or four floats."""
        numbers = [float(number) for number in value]
        (GL.glUniform3f if len(numbers) == 3 else GL.glUniform4f)(self._where(name), *numbers)

    def delete(self) -> None:
        """Free it."""
        GL.glDeleteProgram(self._id)

    def _where(self, name: str) -> int:
        if name not in self._at:
            self._at[name] = int(GL.glGetUniformLocation(self._id, name))
        return self._at[name]


def lit_program(layout: Layout, textured: bool) -> Program:
    """Pictures: textured or of one colour."""
    texel = "vec4 seen = texture(texels, uv); base *= vec4(seen.rgb * seen.rgb * (0.8 + 0.2 * seen.rgb), seen.a);" if textured else ""
    return Program(_vertex(layout), LIT.format(sampler=_sampler(textured), texel=texel))


def id_program(layout: Layout, cut: bool) -> Program:
    """Ids and shadows; with `cut`, see-through parts of the texture are holes."""
    return Program(_vertex(layout), IDS.format(sampler=_sampler(cut), cut="if (texture(texels, uv).a < 0.4) discard;" if cut else ""))


def smooth_program() -> Program:
    """Softens the stairs of edges in a finished picture (after Lottes 2009, FXAA): cheaper here than four samples a pixel."""
    return Program(WHOLE, SMOOTH)


def _sampler(wanted: bool) -> str:
    return "uniform sampler2D texels;" if wanted else ""


def _vertex(layout: Layout) -> str:
    inputs = [("vec3", "normal", layout.normal), ("vec2", "texel_at", layout.uv), ("vec4", "colour_at", layout.tint)]
    return VERTEX.format(
        inputs="\n".join(f"layout(location = {location}) in {kind} {name};" for kind, name, location in inputs if location >= 0),
        facing="mat3(model) * normal" if layout.normal >= 0 else "vec3(0.0, 1.0, 0.0)",
        uv="texel_at" if layout.uv >= 0 else "vec2(0.0)",
        tint="colour_at.rgb" if layout.tint >= 0 else "vec3(1.0)",
    )


def _linked(vertex: str, fragment: str) -> int:
    program = GL.glCreateProgram()
    for kind, text in ((GL.GL_VERTEX_SHADER, vertex), (GL.GL_FRAGMENT_SHADER, fragment)):
        shader = GL.glCreateShader(kind)
        GL.glShaderSource(shader, text)
        GL.glCompileShader(shader)
        assert GL.glGetShaderiv(shader, GL.GL_COMPILE_STATUS), GL.glGetShaderInfoLog(shader)
        GL.glAttachShader(program, shader)
    GL.glLinkProgram(program)
    assert GL.glGetProgramiv(program, GL.GL_LINK_STATUS), GL.glGetProgramInfoLog(program)
    return int(program)
