//! Clients that people start in a shell, with what they type as a pipe: each gets the greeting, its own bytes
//! back and the answers of a chat. What such a client cannot do is not asked of it.

use super::judge::{Judge, Running};
use super::matrix;
use crate::support::{Random, Server};

const SERVICES: [&str; 5] = ["hello=0", "echo=0", "chat=0", "--chat-with", "echo"];
const GREETING: &[u8] = b"Hello World!\0";
const ECHO_BYTES: usize = 1_000_000;
const LINES: usize = 1000;

/// What a client leaves as it is.
#[derive(Clone, Copy, PartialEq)]
enum Input {
    AnyBytes,
    /// A telnet gives bytes of its own meaning: 0x85 without its high bit switches echoing, for one.
    Text,
}

/// What happens when its input ends.
#[derive(Clone, Copy, PartialEq)]
enum End {
    HalfClose,
    /// It leaves, whatever is still to come.
    Leave,
    /// Nothing.
    Stay,
}

struct Client {
    name: &'static str,
    version: &'static [&'static str],
    package: &'static str,
    /// `PORT` stands for the port.
    command: &'static [&'static str],
    input: Input,
    end: End,
}

impl Client {
    fn judge(&self) {
        let Some(judge) = Judge::find(self.name, self.version, self.package) else {
            return;
        };
        let server = Server::start(&SERVICES);
        let verdicts = [
            ("hello", self.is_greeted(&server)),
            ("echo", self.is_echoed(&server)),
            ("half-close", self.half_closes(&server)),
            ("reset", "–"),
            ("chat", self.chats(&server)),
        ];
        matrix::holds("client", &judge, &verdicts);
        server.stop();
    }

    fn start(&self, port: &str) -> Running {
        let words = self.command.iter().map(|word| word.replace("PORT", port));
        let words: Vec<String> = words.collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        Running::start(&words)
    }

    /// The greeting is all that comes before the client ends, besides a telnet's own words.
    fn is_greeted(&self, server: &Server) -> &'static str {
        let mut client = self.start(&server.port("hello"));
        client.comes(|seen| seen.ends_with(GREETING));
        let said = client.end().out;
        let is_whole = match self.input {
            Input::AnyBytes => said == GREETING,
            Input::Text => said.ends_with(GREETING),
        };
        if is_whole { "yes" } else { "no" }
    }

    /// Its input is open until all has come back.
    fn is_echoed(&self, server: &Server) -> &'static str {
        let mut client = self.start(&server.port("echo"));
        let (input, verdict) = match self.input {
            Input::AnyBytes => (Random::new(12).bytes(ECHO_BYTES), "1 MB, any bytes"),
            Input::Text => (lines(), "text"),
        };
        client.say(&input);
        let is_back = client.comes(|seen| seen.len() >= input.len() && seen.ends_with(&input));
        let said = match self.end {
            End::HalfClose | End::Leave => client.end().out,
            End::Stay => client.seen().to_vec(),
        };
        let is_all = self.input == Input::Text || said == input;
        if is_back && is_all { verdict } else { "no" }
    }

    /// Its input ends while nearly all is still to come back.
    fn half_closes(&self, server: &Server) -> &'static str {
        match self.end {
            End::Leave | End::Stay => "–",
            End::HalfClose => {
                let input = Random::new(13).bytes(ECHO_BYTES);
                let mut client = self.start(&server.port("echo"));
                client.say(&input);
                if client.end().out == input {
                    "yes"
                } else {
                    "no"
                }
            }
        }
    }

    /// In turns, until QUIT, by which the server ends the conversation.
    fn chats(&self, server: &Server) -> &'static str {
        let mut client = self.start(&server.port("chat"));
        for message in ["one\n", "물\n", "QUIT\n"] {
            client.say(message.as_bytes());
            if !client.comes(|seen| seen.ends_with(message.as_bytes())) {
                return "no";
            }
        }
        if client.end().out.ends_with("one\n물\nQUIT\n".as_bytes()) {
            "yes"
        } else {
            "no"
        }
    }
}

/// In Korean, too, of which no byte means something to a telnet.
fn lines() -> Vec<u8> {
    let lines = (0..LINES).map(|number| format!("물 {number}\n"));
    lines.collect::<String>().into_bytes()
}

#[test]
fn openbsd_netcat_is_served() {
    Client {
        name: "netcat-openbsd",
        version: &["nc.openbsd", "-h"],
        package: "Debian package netcat-openbsd",
        command: &["nc.openbsd", "-N", "127.0.0.1", "PORT"],
        input: Input::AnyBytes,
        end: End::HalfClose,
    }
    .judge();
}

#[test]
fn traditional_netcat_is_served() {
    Client {
        name: "netcat-traditional",
        version: &["nc.traditional", "-h"],
        package: "Debian package netcat-traditional",
        command: &["nc.traditional", "-q", "60", "127.0.0.1", "PORT"],
        input: Input::AnyBytes,
        end: End::HalfClose,
    }
    .judge();
}

#[test]
fn ncat_is_served() {
    Client {
        name: "ncat",
        version: &["ncat", "--version"],
        package: "Debian package ncat",
        command: &["ncat", "127.0.0.1", "PORT"],
        input: Input::AnyBytes,
        end: End::HalfClose,
    }
    .judge();
}

#[test]
fn socat_is_served() {
    Client {
        name: "socat",
        version: &["socat", "-V"],
        package: "Debian package socat",
        command: &["socat", "-t", "60", "-", "TCP:127.0.0.1:PORT"],
        input: Input::AnyBytes,
        end: End::HalfClose,
    }
    .judge();
}

#[test]
fn telnet_of_inetutils_is_served() {
    Client {
        name: "inetutils-telnet",
        version: &["inetutils-telnet", "--version"],
        package: "Debian package inetutils-telnet",
        command: &["inetutils-telnet", "127.0.0.1", "PORT"],
        input: Input::Text,
        end: End::Leave,
    }
    .judge();
}

#[test]
fn telnet_of_netkit_is_served() {
    Client {
        name: "telnet-ssl",
        version: &["telnet-ssl", "-V"],
        package: "Debian package telnet-ssl",
        command: &["telnet-ssl", "127.0.0.1", "PORT"],
        input: Input::Text,
        end: End::Leave,
    }
    .judge();
}

#[test]
fn bash_is_served() {
    const SCRIPT: &str = "exec 3<>/dev/tcp/127.0.0.1/PORT; cat <&3 & cat >&3; kill $!; wait";
    Client {
        name: "bash /dev/tcp",
        version: &["bash", "--version"],
        package: "Debian package bash",
        command: &["bash", "-c", SCRIPT],
        input: Input::AnyBytes,
        end: End::Leave,
    }
    .judge();
}

#[test]
fn curl_is_served() {
    Client {
        name: "curl telnet://",
        version: &["curl", "--version"],
        package: "Debian package curl",
        command: &["curl", "-sN", "telnet://127.0.0.1:PORT"],
        input: Input::Text,
        end: End::Stay,
    }
    .judge();
}
