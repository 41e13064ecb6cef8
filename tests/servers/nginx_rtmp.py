"""A real nginx with the RTMP module: takes pushes, plays them as RTMP and as HLS."""

import getpass
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import pytest

from tests.servers.process import end_process, free_port, is_listening, require_binary, wait_until

_MODULES = (Path("/usr/lib/nginx/modules/ngx_rtmp_module.so"), Path("/usr/share/nginx/modules/ngx_rtmp_module.so"))
_CONF = """
load_module {module};
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 256; }}
rtmp {{
  server {{
    listen 127.0.0.1:{rtmp_port};
    chunk_size 4096;
    application live {{
      live on;
      record off;
      idle_streams {idle_streams};
      drop_idle_publisher 10s;
      {hooks}
      hls on;
      hls_path {folder}/hls;
      hls_fragment 1s;
      hls_playlist_length 6s;
    }}
  }}
}}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  types {{ application/vnd.apple.mpegurl m3u8; video/mp2t ts; }}
  server {{ listen 127.0.0.1:{http_port}; location /hls {{ root {folder}; add_header Cache-Control no-cache; }} }}
}}
"""


class NginxRtmp:
    """`with NginxRtmp(tmp_path) as nginx:` push to `nginx.rtmp_url("cam")`, watch that or `nginx.hls_url("cam")`.

    With `idle_streams` a player may wait for a publisher (nginx's default); without, a stream nobody publishes is refused.
    `hooks` names the address of each directive to ask, such as on_publish.
    """

    def __init__(
        self, folder: Path, *, idle_streams: bool = True, hooks: Mapping[str, str] | None = None, rtmp_port: int | None = None
    ) -> None:
        self._folder = folder
        self._idle_streams = idle_streams
        self._hooks = hooks or {}
        self.rtmp_port = rtmp_port or free_port()
        self.http_port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def rtmp_url(self, name: str) -> str:
        """Where to push and to watch a stream."""
        return f"rtmp://127.0.0.1:{self.rtmp_port}/live/{name}"

    def hls_url(self, name: str) -> str:
        """Where the same stream is live HLS."""
        return f"http://127.0.0.1:{self.http_port}/hls/{name}.m3u8"

    def hls_file(self, name: str) -> Path:
        """The playlist file, to wait for."""
        return self._folder / "hls" / f"{name}.m3u8"

    def start(self) -> None:
        """Start nginx and wait until it listens."""
        binary = require_binary("nginx")
        module = next((path for path in _MODULES if path.exists()), None)
        if module is None:
            pytest.skip("nginx has no RTMP module on this machine (Debian: libnginx-mod-rtmp)")
        (self._folder / "hls").mkdir(parents=True, exist_ok=True)
        conf = self._folder / "nginx.conf"
        conf.write_text(
            _CONF.format(
                module=module,
                user="user root;" if getpass.getuser() == "root" else "",
                folder=self._folder,
                rtmp_port=self.rtmp_port,
                http_port=self.http_port,
                idle_streams="on" if self._idle_streams else "off",
                hooks=" ".join(f"{directive} {address};" for directive, address in self._hooks.items()),
            )
        )
        self._process = subprocess.Popen(
            [binary, "-p", str(self._folder), "-c", str(conf), "-e", str(self._folder / "error.log")], stderr=subprocess.DEVNULL
        )
        wait_until(lambda: is_listening(self.rtmp_port) and is_listening(self.http_port), "nginx to listen")

    def stop(self) -> None:
        """End nginx."""
        if self._process is not None:
            end_process(self._process)
            self._process = None

    def __enter__(self) -> "NginxRtmp":
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
