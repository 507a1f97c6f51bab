// node: echo on Node.js (Debian package nodejs), as its users write it.
'use strict';

const net = require('node:net');

const server = net.createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
  socket.on('error', () => socket.destroy());
  socket.pipe(socket);
});
server.listen({ port: Number(process.argv[2] || 0), host: '127.0.0.1', backlog: 4096 });
