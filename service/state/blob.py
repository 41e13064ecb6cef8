"""The state of one stream that survives a crash, as one bounded value. Knows no Redis and nothing of what the parts mean."""

import msgspec
from msgspec import Struct

from service.errors import StateError

MAX_BLOB_BYTES = 64 * 1024


class StreamBlob(Struct, frozen=True, array_like=True):
    """`counts` fp32 [P] and `prototypes` fp16 of the slots whose count is not 0 are the model memory; the other bytes belong to the part
    they are named after."""

    model_hash: str
    epoch: int
    seq: int
    media_s: float
    prototypes: bytes
    counts: bytes
    analysis: bytes = b""
    policies: bytes = b""
    incidents: bytes = b""


def encode_blob(blob: StreamBlob) -> bytes:
    """MessagePack. ValueError when it is over 64 KiB: a part let its state grow."""
    data = msgspec.msgpack.encode(blob)
    if len(data) > MAX_BLOB_BYTES:
        sizes = {name: len(part) for name in blob.__struct_fields__ if isinstance(part := getattr(blob, name), bytes)}
        raise ValueError(f"the stream's state is {len(data)} bytes, more than {MAX_BLOB_BYTES}: {sizes}")
    return data


def decode_blob(data: bytes, model_hash: str) -> StreamBlob:
    """StateError when it is torn or belongs to another model: start the stream empty and say so."""
    try:
        blob = msgspec.msgpack.decode(data, type=StreamBlob)
    except msgspec.DecodeError as error:
        raise StateError(f"stored stream state cannot be read ({error})") from error
    if blob.model_hash != model_hash:
        raise StateError(f"stored stream state belongs to model {blob.model_hash[:12]}, this one is {model_hash[:12]}")
    return blob
