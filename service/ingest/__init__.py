"""From an untrusted stream URL to frames on the network's canvas: RTMP, HLS and files by PyAV. Knows no engine and no Redis."""
