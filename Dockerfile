# One image for every service: the locked requirements, the project, and a user who owns nothing but /data.

FROM python:3.13-slim AS build
WORKDIR /source
RUN python -m venv /opt/handbill
COPY requirements.lock ./
RUN /opt/handbill/bin/pip install --no-cache-dir --require-hashes --requirement requirements.lock
COPY . .
RUN /opt/handbill/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin handbill \
    && install --directory --owner handbill --mode 0700 /data
COPY --from=build /opt/handbill /opt/handbill
ENV PATH=/opt/handbill/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HANDBILL_DATA_DIR=/data
USER handbill
WORKDIR /data
VOLUME /data
EXPOSE 8484
ENTRYPOINT ["handbill"]
CMD ["--help"]
