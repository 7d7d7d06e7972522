# The runtime as an image; `npm run image` makes the folder that it is built in. The base needs node (20.20 or
# newer) in its PATH, and glibc where the image is made with glibc. No shell is needed.
ARG BASE=node:22-bookworm-slim
FROM ${BASE}
COPY runtime /runtime
# What is accepted and not delivered yet is kept here; the driver mounts a volume of this owner.
COPY --chown=10001:10001 work /work
WORKDIR /work
USER 10001:10001
# Liveness alone. Each check starts a node, which is why they are rare.
ENV RUNTIME_HEALTH_PORT=65530
HEALTHCHECK --interval=2m --timeout=10s CMD ["node", "-e", "require('node:http').get({ host: '127.0.0.1', port: 65530, path: '/healthz' }, ({ statusCode }) => process.exit(statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]
ENTRYPOINT ["node", "/runtime/main.mjs"]
