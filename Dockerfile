# A static binary on a base that has CA certificates and a user, and nothing else: no shell, no package manager.
FROM rust:1.95.0-alpine AS build
RUN apk add --no-cache build-base cmake perl
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked -p provost && cp target/release/provost /provost
RUN mkdir /ledger

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /provost /usr/local/bin/provost
# A volume starts with the owner of the folder it covers: without this one it would be root's, and the ledger could not be written.
COPY --from=build --chown=65532:65532 /ledger /var/lib/provost
USER 65532:65532
VOLUME /var/lib/provost
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/provost"]
CMD ["operator"]
