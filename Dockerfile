# Two images: `docker build .` makes the small one, for a CPU; `docker build --target gpu .` the one for an NVIDIA GPU.
# Run either with a read-only root file system: what is written goes to /data (state of the embedded server; unused with VIGIL_REDIS_URL),
# /cache (engines built for this GPU) and /tmp (sockets; a tmpfs will do). See docker-compose.yml.
#
# Never built by a Docker engine: where it was written there was none. `make image-check` lints it, and carries out the cpu target's steps with
# buildah on a Debian of its own, starts the result and asks it. Of the gpu target nothing has run.
#
# Exact tags. To pin the bytes as well, give tag and digest: --build-arg PYTHON_IMAGE=python:...@sha256:... (no registry could be asked here).
ARG PYTHON_IMAGE=python:3.12.12-slim-trixie
# Ubuntu 24.04, whose python3 is 3.12. `base` is the smallest of NVIDIA's flavours: PyTorch's and TensorRT's wheels bring every CUDA library
# themselves, so `runtime` and `cudnn` would lie there twice. What it adds to plain Ubuntu is what the wheels lack: the libraries with which an
# older data-centre driver serves CUDA 13.0, and NVIDIA_REQUIRE_CUDA, by which a host whose driver is too old is refused when the container starts.
ARG CUDA_IMAGE=nvidia/cuda:13.0.3-base-ubuntu24.04

# Vigil itself as a wheel, the same for both images.
FROM ${PYTHON_IMAGE} AS wheel
WORKDIR /src
COPY requirements/build.txt requirements/
RUN python -m venv /opt/tools && /opt/tools/bin/pip install --no-cache-dir --require-hashes -r requirements/build.txt
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY model model
COPY engines engines
COPY service service
RUN /opt/tools/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels .

# pip stays in /opt/tools; /opt/vigil, which goes into the image, never has it. OpenVINO runs without openvino-telemetry, which would report each
# start to its makers through Google Analytics, unasked.
FROM ${PYTHON_IMAGE} AS cpu-packages
WORKDIR /src
RUN python -m venv /opt/tools && python -m venv --without-pip /opt/vigil
COPY requirements/default.txt requirements/
RUN /opt/tools/bin/pip --python /opt/vigil/bin/python install --no-cache-dir --only-binary :all: --require-hashes -r requirements/default.txt
COPY --from=wheel /wheels /wheels
RUN /opt/tools/bin/pip --python /opt/vigil/bin/python install --no-cache-dir --no-index --no-deps /wheels/*.whl \
    && /opt/tools/bin/pip --python /opt/vigil/bin/python uninstall --yes openvino-telemetry
RUN du -sh /opt/vigil && du -m --max-depth=1 /opt/vigil/lib/python3*/site-packages | sort -rn | head -12

# Needs, besides the package index, NVIDIA's own: tensorrt-cu13-libs is a stub on the former. The stub's hash is checked, as all are; it then
# fetches the wheel of its version from NVIDIA, checked against the hash that NVIDIA's index states, for there is none to pin. Three pins come as
# source and are built here with the tools pinned in gpu-build.txt: tensorrt, tensorrt-cu13 and that stub. Where NVIDIA's index is mirrored:
# --build-arg TENSORRT_INDEX=URL. About 3 GB of wheels and TensorRT's own (`make sizes`), twice that and more of disk while it builds.
FROM ${CUDA_IMAGE} AS gpu-packages
ARG TENSORRT_INDEX
WORKDIR /src
RUN apt-get update && apt-get install -y --no-install-recommends python3 python3-venv ca-certificates && rm -rf /var/lib/apt/lists/*
COPY requirements/gpu-build.txt requirements/gpu.txt requirements/
RUN python3 -m venv /opt/tools && python3 -m venv --without-pip /opt/vigil \
    && /opt/tools/bin/pip install --no-cache-dir --require-hashes -r requirements/gpu-build.txt
RUN WHEEL_STUB_PIP_INDEX_URL="${TENSORRT_INDEX}" /opt/tools/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --require-hashes \
        --wheel-dir /packages -r requirements/gpu.txt \
    && /opt/tools/bin/pip --python /opt/vigil/bin/python install --no-cache-dir --no-index --no-deps /packages/*.whl \
    && rm -rf /packages
COPY --from=wheel /wheels /wheels
RUN /opt/tools/bin/pip --python /opt/vigil/bin/python install --no-cache-dir --no-index --no-deps /wheels/*.whl \
    && /opt/tools/bin/pip --python /opt/vigil/bin/python uninstall --yes openvino-telemetry
RUN du -sh /opt/vigil && du -m --max-depth=1 /opt/vigil/lib/python3*/site-packages | sort -rn | head -12

# setuptools stays: PyTorch requires it. The first start builds the engines, minutes of them, into /cache; /readyz is 503 until they are warm.
FROM ${CUDA_IMAGE} AS gpu
ARG CUDA_IMAGE
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="vigil" \
      org.opencontainers.image.description="Real-time livestream moderation: scene graphs and alerts from live video, on an NVIDIA GPU" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${CUDA_IMAGE}"
RUN apt-get update && apt-get install -y --no-install-recommends python3 && rm -rf /var/lib/apt/lists/*
RUN groupadd --gid 10001 vigil && useradd --uid 10001 --gid 10001 --home-dir /cache --no-create-home --shell /usr/sbin/nologin vigil \
    && install -d -o 10001 -g 10001 -m 0700 /data /cache
COPY --from=gpu-packages /opt/vigil /opt/vigil
COPY deploy/policies /etc/vigil/policies
ENV PATH=/opt/vigil/bin:$PATH PYTHONDONTWRITEBYTECODE=1 HOME=/cache XDG_CACHE_HOME=/cache \
    VIGIL_HOST=0.0.0.0 VIGIL_PORT=8000 VIGIL_POLICIES=/etc/vigil/policies VIGIL_DATA_DIR=/data VIGIL_LOG_JSON=true
# video: NVDEC, so that streams are decoded on the GPU.
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility,video
USER 10001:10001
WORKDIR /tmp
VOLUME ["/data", "/cache"]
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=15m --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; \
r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:' + os.environ['VIGIL_PORT'] + '/readyz', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["vigil"]
CMD ["serve"]

# Last, so that a plain `docker build .` makes it. The base image's own pip goes; its standard library, shipped without bytecode, is compiled,
# for nothing can be compiled later: the root file system is read-only.
# No init is needed: the supervisor is every process's parent and ends and reaps each.
FROM ${PYTHON_IMAGE} AS cpu
ARG PYTHON_IMAGE
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="vigil" \
      org.opencontainers.image.description="Real-time livestream moderation: scene graphs and alerts from live video" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${PYTHON_IMAGE}"
RUN rm -rf /usr/local/bin/pip* /usr/local/lib/python3*/site-packages/pip* /usr/local/lib/python3*/ensurepip \
    && python -m compileall -q "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
RUN groupadd --gid 10001 vigil && useradd --uid 10001 --gid 10001 --home-dir /cache --no-create-home --shell /usr/sbin/nologin vigil \
    && install -d -o 10001 -g 10001 -m 0700 /data /cache
COPY --from=cpu-packages /opt/vigil /opt/vigil
COPY deploy/policies /etc/vigil/policies
ENV PATH=/opt/vigil/bin:$PATH PYTHONDONTWRITEBYTECODE=1 HOME=/cache XDG_CACHE_HOME=/cache \
    VIGIL_HOST=0.0.0.0 VIGIL_PORT=8000 VIGIL_POLICIES=/etc/vigil/policies VIGIL_DATA_DIR=/data VIGIL_LOG_JSON=true
USER 10001:10001
WORKDIR /tmp
VOLUME ["/data", "/cache"]
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; \
r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:' + os.environ['VIGIL_PORT'] + '/readyz', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["vigil"]
CMD ["serve"]
