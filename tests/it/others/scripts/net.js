// A client on node's net; a line for each trial.
'use strict';

const { randomBytes } = require('node:crypto');
const { once } = require('node:events');
const net = require('node:net');

const COUNT = 1_000_000;

async function open(port) {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    socket.gathered = Buffer.alloc(0);
    socket.on('data', (piece) => { socket.gathered = Buffer.concat([socket.gathered, piece]); });
    await once(socket, 'connect');
    return socket;
}

async function until(socket, count) {
    while (socket.gathered.length < count) await once(socket, 'data');
    return socket.gathered;
}

async function untilEnd(socket) {
    if (!socket.readableEnded) await once(socket, 'end');
    socket.end();
    return socket.gathered;
}

const trials = {
    async hello(socket) {
        return (await untilEnd(socket)).equals(Buffer.from('Hello World!\0'));
    },
    async echo(socket) {
        const data = randomBytes(COUNT);
        socket.write(data);
        const isSame = (await until(socket, COUNT)).equals(data);
        socket.end();
        return isSame;
    },
    async 'half-close'(socket) {
        const data = randomBytes(COUNT);
        socket.end(data);
        return (await untilEnd(socket)).equals(data);
    },
    async reset(socket) {
        socket.write('x');
        const isSame = String(await until(socket, 1)) === 'x';
        socket.resetAndDestroy();
        return isSame;
    },
    async chat(socket) {
        let said = '';
        for (const message of ['one\n', '안녕\n', 'QUIT\n']) {
            said += message;
            socket.write(message);
            if (String(await until(socket, Buffer.byteLength(said))) !== said) return false;
        }
        return String(await untilEnd(socket)) === said;
    },
};

async function main() {
    const [hello, echo, chat] = process.argv.slice(2).map(Number);
    const ports = { hello, echo, 'half-close': echo, reset: echo, chat };
    for (const [name, trial] of Object.entries(trials)) {
        const isRight = await trial(await open(ports[name]));
        console.log(name, isRight ? 'yes' : 'no');
    }
}

main();
