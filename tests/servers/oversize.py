"""A small H.264 file that claims to be any size: the width and height of its sequence header are rewritten (H.264 7.3.2.1.1)."""

from pathlib import Path

from tests.servers.publisher import make_video, run_ffmpeg

_START = b"\x00\x00\x01"
_SPS_TYPE = 7
_PLAIN_PROFILES = (66, 77, 88)


class _Bits:
    """Reads a header bit by bit."""

    def __init__(self, data: bytes) -> None:
        self.text = "".join(f"{byte:08b}" for byte in data)
        self.at = 0

    def skip(self, count: int) -> None:
        self.at += count

    def golomb(self) -> int:
        zeros = self.text.index("1", self.at) - self.at
        value = int(self.text[self.at + zeros : self.at + 2 * zeros + 1], 2) - 1
        self.at += 2 * zeros + 1
        return value


def make_oversize(folder: Path, width: int, height: int, suffix: str) -> Path:
    """A file in the container of `suffix` (.ts, .mkv, .mp4) whose pictures say width x height; multiples of 16."""
    plain = make_video(folder / "plain.h264", size="64x64", duration_s=1.0)
    run_ffmpeg("-i", str(plain), "-c", "copy", "-bsf:v", "dump_extra", str(folder / "headers.h264"))
    units = (folder / "headers.h264").read_bytes().split(_START)
    claimed = [_resize(unit, width, height) if unit and unit[0] & 31 == _SPS_TYPE else unit for unit in units]
    (folder / "claimed.h264").write_bytes(_START.join(claimed))
    made = folder / f"oversize-{width}x{height}{suffix}"
    run_ffmpeg("-r", "25", "-i", str(folder / "claimed.h264"), "-c", "copy", str(made))
    return made


def _resize(unit: bytes, width: int, height: int) -> bytes:
    trailing = unit[len(unit.rstrip(b"\x00")) :]
    bits = _Bits(unit.rstrip(b"\x00").replace(b"\x00\x00\x03", b"\x00\x00"))
    assert int(bits.text[8:16], 2) in _PLAIN_PROFILES, "the encoder was asked for a plain profile"
    bits.skip(32)
    bits.golomb()  # seq_parameter_set_id
    bits.golomb()  # log2_max_frame_num_minus4
    if bits.golomb() == 0:  # pic_order_cnt_type
        bits.golomb()
    bits.golomb()  # max_num_ref_frames
    bits.skip(1)  # gaps_in_frame_num_value_allowed_flag
    before = bits.text[: bits.at]
    bits.golomb(), bits.golomb()
    after = bits.text[bits.at : bits.text.rindex("1")]
    text = before + _golomb_text(width // 16 - 1) + _golomb_text(height // 16 - 1) + after + "1"
    text += "0" * (-len(text) % 8)
    data = bytes(int(text[at : at + 8], 2) for at in range(0, len(text), 8))
    return _escape(data) + trailing


def _golomb_text(value: int) -> str:
    digits = f"{value + 1:b}"
    return "0" * (len(digits) - 1) + digits


def _escape(data: bytes) -> bytes:
    out = bytearray()
    for byte in data:
        if byte <= 3 and out[-2:] == b"\x00\x00":
            out.append(3)
        out.append(byte)
    return bytes(out)
