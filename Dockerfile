# Three images from one file.
#
#   docker build -t digits .                            the service: service/ and models/, nothing else
#   docker build -t digits-trainer --target trainer .   the batch job that makes models
#   docker build -t digits-models --target models .     models/ alone, to be mounted as a volume
#
# For a base that is pinned to the byte, as a release has it (.github/workflows/release.yaml):
# --build-arg PYTHON_IMAGE=docker.io/library/python:3.11-slim@sha256:...
ARG PYTHON_IMAGE=docker.io/library/python:3.11-slim

# ---- what both are built with; nothing of it is in an image but what is copied out ---------------
FROM ${PYTHON_IMAGE} AS build
WORKDIR /app
# More than serving needs: --build-arg EXTRAS="requirements-tracing requirements-phones".
ARG EXTRAS=""
COPY service/*.lock service/
# The environment gets no pip of its own: a service has nothing to install. What the index sends has the hash that the
# lock says. Bytecode has no time in it: two builds hold the same files.
RUN set -e; python -m venv --without-pip /opt/venv; \
    for name in requirements $EXTRAS; do \
        python -m pip --python /opt/venv/bin/python install --no-cache-dir --no-compile --only-binary :all: \
            --disable-pip-version-check --require-hashes -r "service/$name.lock"; \
    done; \
    find /opt/venv -type d -name tests -prune -exec rm -r {} +; \
    python -m compileall -q --invalidation-mode unchecked-hash /opt/venv/lib
COPY service/ service/
# A root file system that is read-only keeps no bytecode, so it is made here. The modes do not depend
# on the umask of whoever cloned the repository: another user reads the files.
RUN python -m compileall -q --invalidation-mode unchecked-hash service && chmod -R a+rX,go-w /app

FROM build AS build-service
COPY models/ models/
RUN chmod -R a+rX,go-w models

FROM build AS build-trainer
# With Optuna, for deploy/components/search: --build-arg TRAINER_EXTRAS=requirements-search.
ARG TRAINER_EXTRAS=""
COPY trainer/*.lock trainer/
RUN set -e; for name in requirements $TRAINER_EXTRAS; do \
        python -m pip --python /opt/venv/bin/python install --no-cache-dir --no-compile --only-binary :all: \
            --disable-pip-version-check --require-hashes -r "trainer/$name.lock"; \
    done; \
    python -m compileall -q --invalidation-mode unchecked-hash /opt/venv/lib
COPY trainer/ trainer/
RUN python -m compileall -q --invalidation-mode unchecked-hash trainer && chmod -R a+rX,go-w trainer

# ---- the batch job: trains, checks, publishes into a mounted folder ------------------------------
FROM ${PYTHON_IMAGE} AS trainer
ARG VERSION=1.0.0
ARG REVISION=unknown
ARG CREATED=""
ARG SOURCE=""
ARG PYTHON_IMAGE
LABEL org.opencontainers.image.title="digits-trainer" \
      org.opencontainers.image.description="Trains the models of the handwritten digit service and publishes them through a gate" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.base.name="${PYTHON_IMAGE}"
# Runs go to /tmp/runs: /tmp is the one writable folder of a read-only container. The code is found by PYTHONPATH, and
# nothing is imported from /tmp.
ENV PATH=/opt/venv/bin:$PATH \
    OPENBLAS_NUM_THREADS=1 \
    MPLCONFIGDIR=/tmp/matplotlib \
    XDG_CACHE_HOME=/tmp/cache \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/app \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1
WORKDIR /tmp
COPY --from=build-trainer /opt/venv /opt/venv
COPY --from=build-trainer /app /app
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m", "trainer"]
CMD ["--help"]

# ---- the models alone, for deploy/components/model-image-volume -----------------------------------
FROM scratch AS models
COPY --from=build-service /app/models /models
USER 10001:10001

# ---- the service; the last stage, so it is what a plain `docker build .` makes -------------------
FROM ${PYTHON_IMAGE} AS service
ARG VERSION=1.0.0
ARG REVISION=unknown
ARG CREATED=""
ARG SOURCE=""
ARG PYTHON_IMAGE
LABEL org.opencontainers.image.title="digits" \
      org.opencontainers.image.description="Recognizes handwritten digits over HTTP" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.base.name="${PYTHON_IMAGE}"
# The base image's own pip, in the places where the official image and Debian keep it.
RUN rm -rf /usr/local/lib/python3*/site-packages/* /usr/local/lib/python3*/ensurepip /usr/local/bin/pip* \
        /usr/lib/python3/dist-packages/pip* /usr/bin/pip*
# BLAS would start a thread for each core of the machine, whatever the container's limit is. glibc would keep blocks
# as large as any picture has needed for each thread, and give back, a request at a time, what the next one needs.
ENV PATH=/opt/venv/bin:$PATH \
    HOST=0.0.0.0 \
    PORT=8080 \
    OPENBLAS_NUM_THREADS=1 \
    MALLOC_MMAP_THRESHOLD_=1048576 \
    MALLOC_TRIM_THRESHOLD_=8388608 \
    MALLOC_TOP_PAD_=1048576 \
    MALLOC_ARENA_MAX=2 \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
COPY --from=build-service /opt/venv /opt/venv
COPY --from=build-service /app /app
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/readyz', timeout=2)"]
CMD ["python", "-m", "service"]
