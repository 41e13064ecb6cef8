// Node-Media-Server on loopback, asking Vigil by its own `notify`: node server.js RTMP_PORT NOTIFY_URL DATA_FOLDER GRACE_MS.
const NodeMediaServer = require("node-media-server");

const [rtmpPort, notifyUrl, dataFolder, graceMs] = process.argv.slice(2);
const server = new NodeMediaServer({
  bind: "127.0.0.1",
  rtmp: { port: Number(rtmpPort) },
  notify: { url: notifyUrl },
  store: { path: dataFolder },
  record: { auto: false, path: dataFolder },
});

// A publisher that left has 30 s to come back before donePublish is sent; a test has less.
server.on("prePublish", (session) => { session.broadcast.publishGraceMs = Number(graceMs); });

server.run();
