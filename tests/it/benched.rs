//! `epollo bench` where something is missing: the server, its answers, /proc, or the time to end. What
//! it then says, and how soon.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketType};
use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Epollo, Server, best_of};
use crate::terminal::Terminal;

mod asking;
