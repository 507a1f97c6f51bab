//! `epollo` on a pseudo-terminal, as a person sees it. What is typed shows up too: the terminal
//! echoes it, and ends each line with `\r\n`.

use std::fs::File;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::support::{PATIENCE, eventually};

/// A terminal with `epollo` on it.
pub struct Terminal {
    child: Child,
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    unread: Vec<u8>,
    /// The terminal as the user's shell has it.
    shell: Option<File>,
}

impl Terminal {
    /// Runs `epollo` with these arguments on a terminal of its own.
    pub fn run(arguments: &[&str]) -> Terminal {
        Terminal::run_sized(arguments, 0)
    }

    /// The same on a window of so many columns; 0 is a terminal that does not know.
    pub fn run_sized(arguments: &[&str], columns: u16) -> Terminal {
        let mut command = Command::new(env!("CARGO_BIN_EXE_epollo"));
        Terminal::sized(command.args(arguments), columns)
    }

    /// The same of a command with an environment of its own.
    pub fn of(command: &mut Command) -> Terminal {
        Terminal::sized(command, 0)
    }

    /// Serves on a terminal with these arguments, of which one is the service; where.
    pub fn serve(arguments: &[&str]) -> (Terminal, SocketAddr) {
        let mut screen = Terminal::run(&[&["serve"], arguments].concat());
        let address = screen.until_listening();
        (screen, address)
    }

    /// Where it listens, once that is the next line.
    pub fn until_listening(&mut self) -> SocketAddr {
        let shown = self.until("\r\n");
        shown.trim().rsplit(' ').next().unwrap().parse().unwrap()
    }

    fn sized(command: &mut Command, columns: u16) -> Terminal {
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = rustix::fs::open(name, flags, Mode::empty()).unwrap();
        resize(&master, columns);
        let child = command
            .env_remove("RUST_LOG")
            .stdin(slave.try_clone().unwrap())
            .stdout(slave.try_clone().unwrap())
            .stderr(slave.try_clone().unwrap())
            .spawn()
            .unwrap();
        let keyboard = File::from(master);
        Terminal {
            child,
            screen: pieces_of(keyboard.try_clone().unwrap()),
            keyboard,
            unread: Vec::new(),
            shell: Some(File::from(slave)),
        }
    }

    /// Waits until this is shown; all that was shown up to its end.
    pub fn until(&mut self, text: &str) -> String {
        loop {
            let mut windows = self.unread.windows(text.len());
            if let Some(at) = windows.position(|shown| shown == text.as_bytes()) {
                let shown = self.unread.drain(..at + text.len()).collect();
                return String::from_utf8(shown).unwrap();
            }
            match self.screen.recv_timeout(PATIENCE) {
                Ok(piece) => self.unread.extend(piece),
                Err(_) => panic!(
                    "{text:?} is not in {:?}",
                    String::from_utf8_lossy(&self.unread)
                ),
            }
        }
    }

    /// Waits until nothing is shown for so long, and forgets what was shown before.
    pub fn until_silent(&mut self, pause: Duration) {
        let began = Instant::now();
        let mut count = self.unread.len();
        while let Ok(piece) = self.screen.recv_timeout(pause) {
            count += piece.len();
            assert!(
                began.elapsed() < PATIENCE,
                "it does not fall silent: {count} bytes"
            );
        }
        self.unread.clear();
    }

    /// Whether `O_NONBLOCK` is set on what the user's shell has.
    pub fn is_nonblocking(&self) -> bool {
        let shell = self.shell.as_ref().expect("the shell has it until the end");
        rustix::fs::fcntl_getfl(shell)
            .unwrap()
            .contains(OFlags::NONBLOCK)
    }

    /// The window gets another width.
    pub fn resize(&self, columns: u16) {
        resize(&self.keyboard, columns);
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Stops it, and once it is stopped lets it go on.
    pub fn stop_and_continue(&self) {
        self.signal(Signal::STOP);
        eventually("it is stopped", || {
            let path = format!("/proc/{}/stat", self.child.id());
            std::fs::read_to_string(path).unwrap().contains(") T ")
        });
        self.signal(Signal::CONT);
    }

    /// Waits until it has ended.
    pub fn await_end(&mut self) {
        eventually("it ends", || self.child.try_wait().unwrap().is_some());
    }

    /// What the terminal has for the next program that reads it, which is a line at the most.
    pub fn typed_for_the_shell(&mut self) -> String {
        let mut line = [0; 4096];
        let count = self.shell.as_mut().unwrap().read(&mut line).unwrap();
        String::from_utf8_lossy(&line[..count]).into_owned()
    }

    /// Ends it the hard way.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Types this.
    pub fn type_in(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until so much more is on the screen; it must be exactly this.
    pub fn shows(&mut self, expected: &str) {
        while self.unread.len() < expected.len() {
            match self.screen.recv_timeout(PATIENCE) {
                Ok(piece) => self.unread.extend(piece),
                Err(_) => break,
            }
        }
        let end = self.unread.len().min(expected.len());
        let shown: Vec<u8> = self.unread.drain(..end).collect();
        assert_eq!(String::from_utf8_lossy(&shown), expected);
    }

    /// Waits for its end: nothing more is shown. The exit code.
    pub fn code(self) -> i32 {
        let (code, shown) = self.last_words();
        assert_eq!(shown, "", "nothing more");
        code
    }

    /// Waits for its end. The exit code, and all that is shown until then.
    pub fn last_words(mut self) -> (i32, String) {
        self.shell = None;
        let mut status = None;
        eventually("it ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        while let Ok(piece) = self.screen.recv_timeout(PATIENCE) {
            self.unread.extend(piece);
        }
        let shown = String::from_utf8(std::mem::take(&mut self.unread)).unwrap();
        (status.and_then(|status| status.code()).unwrap(), shown)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn resize(terminal: impl AsFd, columns: u16) {
    let size = Winsize {
        ws_row: 24,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(terminal, size).unwrap();
}

/// What comes to the screen, until nobody has the terminal open any more (EIO).
fn pieces_of(mut screen: File) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = screen.read(&mut buffer) {
            if sender.send(buffer[..count].to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
}
