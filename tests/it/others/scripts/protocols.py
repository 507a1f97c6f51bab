"""A client of Twisted's protocols; a line for each trial."""

import os
import sys

from twisted.internet import defer, endpoints, protocol, task
from twisted.internet.interfaces import IHalfCloseableProtocol
from zope.interface import implementer

COUNT = 1_000_000


@implementer(IHalfCloseableProtocol)
class Client(protocol.Protocol):
    """Gathers what comes, and tells who waits for it."""

    def __init__(self):
        self.data = bytearray()
        self.awaited = None

    def until(self, count):
        """When so much has come; without a count, when the server sends no more."""
        self.awaited = (count, defer.Deferred())
        self.look(False)
        return self.awaited[1] if self.awaited else defer.succeed(bytes(self.data))

    def look(self, is_end):
        if self.awaited is None:
            return
        count, deferred = self.awaited
        if is_end or (count is not None and len(self.data) >= count):
            self.awaited = None
            deferred.callback(bytes(self.data))

    def dataReceived(self, data):
        self.data += data
        self.look(False)

    def readConnectionLost(self):
        self.look(True)
        self.transport.loseConnection()

    def writeConnectionLost(self):
        pass

    def connectionLost(self, reason=None):
        self.look(True)


def hello(client):
    return client.until(None).addCallback(lambda data: data == b"Hello World!\0")


def echo(client):
    data = os.urandom(COUNT)
    client.transport.write(data)
    return client.until(COUNT).addCallback(lambda returned: returned == data)


def half_close(client):
    data = os.urandom(COUNT)
    client.transport.write(data)
    client.transport.loseWriteConnection()
    return client.until(None).addCallback(lambda returned: returned == data)


@defer.inlineCallbacks
def reset(client):
    client.transport.write(b"x")
    returned = yield client.until(1)
    client.transport.abortConnection()
    return returned == b"x"


@defer.inlineCallbacks
def chat(client):
    said = b""
    for message in ["one\n", "안녕\n", "QUIT\n"]:
        said += message.encode()
        client.transport.write(message.encode())
        if (yield client.until(len(said))) != said:
            return False
    return (yield client.until(None)) == said


@defer.inlineCallbacks
def main(reactor):
    ports = [int(port) for port in sys.argv[1:]]
    for trial, port in [(hello, 0), (echo, 1), (half_close, 1), (reset, 1), (chat, 2)]:
        endpoint = endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", ports[port])
        client = yield endpoints.connectProtocol(endpoint, Client())
        verdict = "yes" if (yield trial(client)) else "no"
        print(trial.__name__.replace("_", "-"), verdict, flush=True)


task.react(main)
