# The default set: no torch, no root, state in /data. See docker-compose.yml.
# This file has not been built by an engine yet: where it was written there was none. Its steps are those of `make demo`.
FROM python:3.12-slim AS build
WORKDIR /src
COPY requirements/build.txt requirements/default.txt requirements/
RUN python -m venv /opt/vigil \
    && /opt/vigil/bin/pip install --no-cache-dir --require-hashes -r requirements/build.txt -r requirements/default.txt
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY model model
COPY engines engines
COPY service service
COPY deploy/policies deploy/policies
RUN /opt/vigil/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.12-slim
RUN useradd --create-home --uid 10001 vigil && mkdir /data && chown vigil /data
COPY --from=build /opt/vigil /opt/vigil
COPY --chown=root:root deploy/policies /etc/vigil/policies
USER vigil
ENV PATH=/opt/vigil/bin:$PATH VIGIL_HOST=0.0.0.0 VIGIL_PORT=8000 VIGIL_POLICIES=/etc/vigil/policies VIGIL_DATA_DIR=/data VIGIL_LOG_JSON=true
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["vigil"]
CMD ["serve"]
