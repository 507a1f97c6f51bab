//! Stand-ins for the six course programs, client and server of each. A stand-in makes the calls of
//! its C program: the same buffer sizes, one `read` a message, texts up to the first NUL, and behind
//! that NUL whatever the buffer held before. It makes no allowance for a peer that differs.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use crate::support::{PATIENCE, read_exactly};

/// What memory holds that nobody has set.
const GARBAGE: u8 = b'#';
pub(super) const CHAT_BYTES: usize = 1024;

/// What a C program takes a buffer for: everything before the first NUL.
pub(super) fn c_string(buffer: &[u8]) -> &[u8] {
    let end = buffer.iter().position(|&byte| byte == 0);
    &buffer[..end.expect("without a NUL the program would print past its buffer")]
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Makes one `read` of at most `count` bytes and puts a NUL behind them.
fn read_once(stream: &mut TcpStream, buffer: &mut [u8], count: usize) -> usize {
    let count = stream.read(&mut buffer[..count]).unwrap();
    buffer[count] = 0;
    count
}

/// hello 1, client. Its last byte is a NUL by luck; before it is garbage.
pub(super) fn hello_1_client(mut stream: TcpStream) -> String {
    let mut buffer = [GARBAGE; 30];
    buffer[29] = 0;
    assert!(stream.read(&mut buffer[..29]).unwrap() > 0);
    format!("Message from server: {}", text(c_string(&buffer)))
}

/// hello 2, client.
pub(super) fn hello_2_client(mut stream: TcpStream) -> String {
    let mut buffer = [GARBAGE; 1024];
    assert!(read_once(&mut stream, &mut buffer, 1023) > 0);
    format!("Message from server: {}", text(c_string(&buffer)))
}

/// echo 1, client: its answers. A line that does not fit its buffer is sent in pieces.
pub(super) fn echo_1_client(stream: &mut TcpStream, typed: &str) -> String {
    let mut shown = Vec::new();
    let mut buffer = [GARBAGE; 100];
    for piece in typed.split_inclusive('\n').map(str::as_bytes) {
        for piece in piece.chunks(99) {
            stream.write_all(piece).unwrap();
            if read_once(stream, &mut buffer, 99) == 0 {
                return text(&shown);
            }
            shown.extend_from_slice(c_string(&buffer));
            if piece.trim_ascii_end() == b"exit" {
                return text(&shown);
            }
        }
    }
    text(&shown)
}

/// echo 2, client: its answers.
pub(super) fn echo_2_client(mut stream: TcpStream, typed: &str) -> String {
    let mut shown = String::new();
    let mut buffer = [GARBAGE; 1024];
    for line in typed.split_inclusive('\n') {
        if line == "q\n" || line == "Q\n" {
            return shown;
        }
        stream.write_all(line.as_bytes()).unwrap();
        read_once(&mut stream, &mut buffer, 1023);
        shown += &format!("Message from server : {}", text(c_string(&buffer)));
    }
    panic!("the program has only one way out");
}

/// echo 3, client: its answers.
pub(super) fn echo_3_client(mut stream: TcpStream, typed: &[&str]) -> Vec<String> {
    let exchange = |line: &&str| {
        let sent = [line.as_bytes(), b"\0"].concat();
        stream.write_all(&sent).unwrap();
        text(c_string(&read_exactly(&mut stream, sent.len())))
    };
    typed.iter().map(exchange).collect()
}

/// chat, either side of it: two buffers that are never cleared.
pub(super) struct ChatProgram {
    pub(super) stream: TcpStream,
    outgoing: [u8; CHAT_BYTES],
    incoming: [u8; CHAT_BYTES],
}

impl ChatProgram {
    pub(super) fn new(stream: TcpStream) -> ChatProgram {
        ChatProgram {
            stream,
            outgoing: [GARBAGE; CHAT_BYTES],
            incoming: [GARBAGE; CHAT_BYTES],
        }
    }

    /// Sends the buffer with this text in front. False if the text ends the conversation.
    pub(super) fn say(&mut self, line: impl AsRef<[u8]>) -> bool {
        let line = line.as_ref();
        self.outgoing[..line.len()].copy_from_slice(line);
        self.outgoing[line.len()] = 0;
        self.stream.write_all(&self.outgoing).unwrap();
        c_string(&self.outgoing) != b"QUIT"
    }

    /// One `read`. The program looks at no count; we do, since less or more would put it out of
    /// step, and at what follows the NUL, where nothing of ours belongs.
    pub(super) fn hear(&mut self) -> String {
        let count = self.stream.read(&mut self.incoming).unwrap();
        assert_eq!(count, CHAT_BYTES, "one message, one read");
        let said = c_string(&self.incoming);
        assert!(self.incoming[said.len()..].iter().all(|&byte| byte == 0));
        text(said)
    }
}

/// A course server at work; it ends by itself and tells what it saw.
pub(super) struct Course<T> {
    pub(super) port: String,
    ended: Receiver<T>,
}

impl<T: Send + 'static> Course<T> {
    pub(super) fn serve(program: impl FnOnce(&TcpListener) -> T + Send + 'static) -> Course<T> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let (sender, ended) = channel();
        std::thread::spawn(move || sender.send(program(&listener)));
        Course { port, ended }
    }

    pub(super) fn end(&self) -> T {
        self.ended
            .recv_timeout(PATIENCE)
            .expect("the course server ends, and content")
    }
}

pub(super) fn accept(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// echo 1, server: until `clients` came and went; how many newlines it dropped.
pub(super) fn echo_1_server(listener: &TcpListener, clients: usize) -> usize {
    let mut newlines_dropped = 0;
    let mut buffer = [GARBAGE; 100];
    for _ in 0..clients {
        let mut client = accept(listener);
        loop {
            let count = read_once(&mut client, &mut buffer, 99);
            if count > 0 && buffer[count - 1] == b'\n' {
                buffer[count - 1] = 0;
                newlines_dropped += 1;
            }
            if count == 0 || c_string(&buffer) == b"exit" {
                break;
            }
            client.write_all(c_string(&buffer)).unwrap();
        }
    }
    newlines_dropped
}

/// echo 2 (1023 bytes at a time, one client) and echo 3 (511, more), server: what echo 2 prints.
pub(super) fn mirror(listener: &TcpListener, count_max: usize, clients: usize) -> Vec<u8> {
    let mut shown = Vec::new();
    let mut buffer = vec![GARBAGE; count_max + 1];
    for _ in 0..clients {
        let mut client = accept(listener);
        loop {
            let count = read_once(&mut client, &mut buffer, count_max);
            if count == 0 {
                break;
            }
            shown.extend_from_slice(b"message from client : ");
            shown.extend_from_slice(c_string(&buffer));
            client.write_all(&buffer[..count]).unwrap();
        }
    }
    shown
}

/// chat, server: answers with these lines in turn; what it was told.
pub(super) fn chat_server(listener: &TcpListener, answers: &[&str]) -> Vec<String> {
    let mut program = ChatProgram::new(accept(listener));
    let mut told = Vec::new();
    for answer in answers {
        told.push(program.hear());
        if told.last().unwrap() == "QUIT" || !program.say(answer) {
            return told;
        }
    }
    told.push(program.hear());
    assert_eq!(told.last().unwrap(), "QUIT", "the operator has no more");
    told
}
