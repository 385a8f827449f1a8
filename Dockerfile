# The image holds the program and the public certificate authorities, nothing
# else: no shell, no package manager, no writable path.
#
# The image runs as user 65532, who must be able to read the index:
#
#   noecho index build --mode 0644 --out support.nidx train.jsonl
#   docker run -p 8711:8711 -v "$PWD/support.nidx:/index.nidx:ro" noecho \
#     serve --index /index.nidx --upstream http://model:8000 --admin 127.0.0.1:8712
#
# Inside a container both ports have to listen beyond loopback, hence the two
# NOECHO_ variables below. The admin port then answers /livez and /readyz to
# everybody and the rest to nobody, until a configuration (--config) names in
# admin.token_file a mounted file that holds a token. Probes of an orchestrator
# use /livez and /readyz; the image has no shell for a HEALTHCHECK to run in.

FROM --platform=$BUILDPLATFORM golang:1.26.8-bookworm AS build
ARG TARGETOS=linux
ARG TARGETARCH=amd64
ARG VERSION=dev
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download && go mod verify
COPY . .
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false -ldflags="-s -w -X main.version=$VERSION" -o /out/noecho ./cmd/noecho

FROM scratch
LABEL org.opencontainers.image.title="noecho" \
      org.opencontainers.image.description="Stops a model from repeating its training data" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY LICENSE NOTICE /
COPY --from=build /out/noecho /noecho
ENV NOECHO_LISTEN=0.0.0.0:8711 NOECHO_ADMIN=0.0.0.0:8712
EXPOSE 8711 8712
# A number, not a name: an orchestrator can then prove that it is not root.
USER 65532:65532
ENTRYPOINT ["/noecho"]
CMD ["serve"]
