# The runtime as an image; `npm run image` makes the folder that it is built in. The base needs node (20.20 or
# newer) in its PATH, and glibc where the image is made with glibc. No shell is needed.
ARG BASE=node:22-bookworm-slim
FROM ${BASE}
COPY runtime /runtime
# What is accepted and not delivered yet is kept here; the driver mounts a volume of this owner.
COPY --chown=10001:10001 work /work
WORKDIR /work
USER 10001:10001
ENTRYPOINT ["node", "/runtime/main.mjs"]
