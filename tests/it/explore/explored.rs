//! The explorer from outside, in raw HTTP on the real binary: what it shows, whom it refuses, and what
//! a browser that misbehaves can cost. What is shared here: a server that is explored, its answers,
//! its event stream. How the page looks is in `browser.rs`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use crate::support::{Epollo, PATIENCE, Server, connect, read_exactly};

mod asked;
mod bounds;
mod buttons;
mod demos;
mod pages;
mod places;
mod refusals;
mod streams;

/// `epollo serve --explore`, with its page on a port of its own.
struct WithExplorer {
    server: Server,
    address: SocketAddr,
}

impl WithExplorer {
    /// Serves with these arguments, and explores on a free loopback port.
    fn start(arguments: &[&str]) -> WithExplorer {
        WithExplorer::at("127.0.0.1:0", arguments)
    }

    fn at(explore: &str, arguments: &[&str]) -> WithExplorer {
        let mut command = Command::new(env!("CARGO_BIN_EXE_epollo"));
        command
            .args(["serve", "--explore", explore])
            .args(arguments);
        WithExplorer::of(&mut command, arguments)
    }

    fn of(command: &mut Command, arguments: &[&str]) -> WithExplorer {
        let mut services = arguments.to_vec();
        services.retain(|argument| !argument.starts_with("--explore"));
        let mut server = Server::of(Epollo::spawn(command), &services);
        let line = server.process.line();
        let address = line
            .strip_prefix("listening explore ")
            .unwrap_or_else(|| panic!("{line:?}"));
        let address: SocketAddr = address.parse().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], address.port()));
        WithExplorer { server, address }
    }

    /// What comes back for these bytes until the server ends the connection.
    fn says(&self, request: impl AsRef<[u8]>) -> Answer {
        let mut stream = connect(self.address);
        stream.write_all(request.as_ref()).unwrap();
        Answer::read(&mut stream)
    }

    /// Asks as a browser would, with these lines of the head besides the usual ones.
    fn ask(&self, request: &str, lines: &str, body: &str) -> Answer {
        self.says(format!(
            "{request} HTTP/1.1\r\nHost: {}\r\n{lines}\r\n{body}",
            self.address
        ))
    }

    fn get(&self, path: &str) -> Answer {
        Answer::get(self.address, path)
    }

    /// What the page sends along with each button.
    fn token(&self) -> String {
        let page = self.get("/").body;
        let (_, rest) = page.split_once("name=\"token\" content=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }

    /// Presses a button, with this token.
    fn press(&self, token: &str, body: &Value) -> Answer {
        let body = body.to_string();
        let lines = format!(
            "Content-Type: application/json\r\nX-Epollo-Token: {token}\r\n\
             Origin: http://{}\r\nSec-Fetch-Site: same-origin\r\nContent-Length: {}\r\n",
            self.address,
            body.len()
        );
        self.ask("POST /try", &lines, &body)
    }

    /// Begins to look; the stream has told who is served.
    fn look(&self) -> Stream {
        let stream = connect(self.address);
        Stream::open(stream, self.address)
    }

    /// The value of each line of `/metrics`, by its name and labels.
    fn metrics(&self) -> BTreeMap<String, f64> {
        let answer = self.get("/metrics");
        assert_eq!(answer.status, 200, "{}", answer.body);
        let lines = answer.body.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| {
                let (name, value) = line.rsplit_once(' ').unwrap();
                (name.to_owned(), value.parse().unwrap())
            })
            .collect()
    }

    /// One client says this and hears it.
    fn echo(&self, stream: &mut TcpStream, text: &str) {
        stream.write_all(text.as_bytes()).unwrap();
        assert_eq!(read_exactly(stream, text.len()), text.as_bytes());
    }
}

/// An answer in HTTP.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: String,
}

impl Answer {
    /// What a GET of this path is answered.
    pub fn get(page: SocketAddr, path: &str) -> Answer {
        let mut stream = connect(page);
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {page}\r\n\r\n").unwrap();
        Answer::read(&mut stream)
    }

    fn read(stream: &mut impl Read) -> Answer {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        Answer::of(&String::from_utf8(bytes).unwrap())
    }

    fn of(text: &str) -> Answer {
        let (head, body) = text
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("no head: {text:?}"));
        assert!(head.starts_with("HTTP/1.1 "), "{head:?}");
        Answer {
            status: head[9..12].parse().unwrap(),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    /// The value of a header field, if it is there.
    fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// A stream of server-sent events that is read as fast as it comes.
struct Stream {
    reader: BufReader<TcpStream>,
    meta: Value,
    /// Everything that came, as it came.
    raw: String,
}

impl Stream {
    fn open(mut stream: TcpStream, address: SocketAddr) -> Stream {
        let request = format!("GET /events HTTP/1.1\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).unwrap() > 0, "{head:?}");
        }
        assert_eq!(Answer::of(&head).status, 200, "{head}");
        let kind = Answer::of(&head).field("content-type").map(str::to_owned);
        assert_eq!(kind.as_deref(), Some("text/event-stream"));
        let mut stream = Stream {
            reader,
            meta: Value::Null,
            raw: String::new(),
        };
        let (name, meta) = stream.event();
        assert_eq!(name, "meta");
        stream.meta = meta;
        stream
    }

    /// The next event: its name and its object.
    fn event(&mut self) -> (String, Value) {
        let mut name = self.read_line();
        // A comment line keeps a stream alive; there need not be one.
        while name.starts_with(':') || name.is_empty() {
            name = self.read_line();
        }
        let data = self.read_line();
        let name = name.strip_prefix("event: ").expect("a name").to_owned();
        let data = data.strip_prefix("data: ").expect("data");
        let value = serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}"));
        assert_eq!(self.read_line(), "", "an event ends with an empty line");
        (name, value)
    }

    fn read_line(&mut self) -> String {
        let mut line = String::new();
        let count = self.reader.read_line(&mut line).unwrap();
        assert!(count > 0, "the stream has ended");
        self.raw.push_str(&line);
        line.trim_end_matches('\n').to_owned()
    }

    /// Waits for an event of this name that holds; the event.
    fn until(&mut self, name: &str, what: &str, mut holds: impl FnMut(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        let mut latest = Value::Null;
        while Instant::now() < deadline {
            let (next, value) = self.event();
            if next == name {
                if holds(&value) {
                    return value;
                }
                latest = value;
            }
        }
        panic!("never told: {what}; the last {name} was {latest}");
    }

    /// Waits for a moment that holds; the moment.
    fn moment(&mut self, what: &str, mut holds: impl FnMut(&Value) -> bool) -> Value {
        let mut found = Value::Null;
        self.until("turns", what, |turns| {
            let moments = moments(turns);
            found = moments
                .into_iter()
                .find(|moment| holds(moment))
                .unwrap_or_default();
            !found.is_null()
        });
        found
    }

    /// Waits for a table in which the row of this peer holds; the row.
    fn row(&mut self, name: &str, what: &str, mut holds: impl FnMut(&Value) -> bool) -> Value {
        let table = self.until("table", what, |table| {
            row_of(table, name).is_some_and(&mut holds)
        });
        row_of(&table, name).unwrap().clone()
    }
}

/// The row of the peer of this address.
fn row_of<'a>(table: &'a Value, name: &str) -> Option<&'a Value> {
    let rows = table["rows"].as_array().unwrap();
    rows.iter().find(|row| row["name"] == name)
}

/// All moments of a `turns` event.
fn moments(turns: &Value) -> Vec<Value> {
    let turns = turns["turns"].as_array().unwrap();
    let moments = turns
        .iter()
        .flat_map(|turn| turn["entries"].as_array().unwrap());
    moments.cloned().collect()
}
