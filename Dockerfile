# syntax=docker/dockerfile:1

FROM rust:1.95-slim-bookworm AS build
# OpenSSL, for TLS to PostgreSQL, is built from source: that takes make and perl besides the compiler.
RUN apt-get update \
    && apt-get install -y --no-install-recommends make perl \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --features postgres-tls \
    && cp target/release/invited /usr/local/bin/invited

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin invited \
    && install -d -o invited -g invited -m 0700 /var/lib/invited
COPY LICENSE /usr/share/doc/invited/
COPY --from=build /usr/local/bin/invited /usr/local/bin/invited

USER 10001
# Where the embedded database lies when no other is configured.
WORKDIR /var/lib/invited
VOLUME /var/lib/invited
# The API, and for Prometheus `/metrics`, which has no credential: keep that port to your own network.
ENV INVITED__SERVER__LISTEN=0.0.0.0:8080 INVITED__SERVER__METRICS_LISTEN=0.0.0.0:9464
EXPOSE 8080 9464
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s --retries=3 CMD ["invited", "healthcheck"]
ENTRYPOINT ["invited"]
CMD ["serve"]
