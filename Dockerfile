# Lens's search engine, and nothing that it does not need: no shell, no package manager, no network while it is built.
#
# `lens cut-rc --container` makes the context (this file, wheelhouse/, pip.whl, image.lock) and names BASE_IMAGE:
# a base of Debian packages that it assembled and verified itself, or a slim image with Python 3.11 (base_image of lens.toml).
# There is no shell in the base, so every RUN and CMD is in exec form.
ARG BASE_IMAGE

FROM ${BASE_IMAGE} AS build
# hadolint ignore=DL3002
USER 0
COPY pip.whl image.lock /build/
COPY wheelhouse /build/wheelhouse
# pip runs from its own wheel and is not installed. Each wheel is held against its hash once more, in here.
RUN ["python3", "/build/pip.whl/pip", "install", "--no-index", "--find-links=/build/wheelhouse", "--require-hashes", \
     "--no-deps", "--no-compile", "--no-cache-dir", "--disable-pip-version-check", "--no-input", \
     "--root-user-action=ignore", "--no-warn-script-location", "--target=/opt/app", "--requirement=/build/image.lock"]

FROM ${BASE_IMAGE}
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="lens-engine" \
      org.opencontainers.image.description="Lens code search: index a directory, search it, serve it over HTTP" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/app /opt/app
# No bytecode is written: the root may be read-only.
ENV PYTHONPATH=/opt/app PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
WORKDIR /home/nonroot
EXPOSE 7700
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python3", "-I", "-S", "-c", "from http.client import HTTPConnection as C; c = C('127.0.0.1', 7700, timeout=4); c.request('GET', '/health'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["python3", "-m", "lens_core.engine"]
CMD ["serve", "--index", "/index", "--host", "0.0.0.0", "--port", "7700"]
