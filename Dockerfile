# The image runs the sources as they are (Node strips the types); the build stage only installs what running needs.
FROM node:24-slim AS build
WORKDIR /castor
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts
COPY config ./config
COPY plugins ./plugins
COPY src ./src
COPY gateway.yaml ./

FROM node:24-slim
ENV NODE_ENV=production CASTOR_HOST=0.0.0.0 CASTOR_DATA_DIR=/var/lib/castor
WORKDIR /castor
COPY --from=build /castor ./
RUN mkdir -p /var/lib/castor && chown node:node /var/lib/castor
USER node
VOLUME /var/lib/castor
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=3s --start-period=5s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.CASTOR_PORT || 8080) + '/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Not through npm, which would swallow SIGTERM and with it the drain.
CMD ["node", "src/cli.ts", "serve", "--config", "gateway.yaml"]
