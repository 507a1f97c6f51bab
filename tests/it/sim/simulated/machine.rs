//! A kernel, real or simulated, with our ends of some connections and whoever plays the far ends.
//! It does one step at a time, and judges nothing.

use std::net::SocketAddr;
use std::time::Duration;

use epollo::protocol::PeerId;
use epollo::reactor::{Kernel, Token};

use super::link::Link;
use super::script::{Act, Call, Outcome, Step};

/// The far ends of the connections of one machine.
pub trait FarEnds<K: Kernel> {
    /// The next connection.
    fn connect(&mut self, kernel: &mut K) -> Outcome;

    /// Whose address that is.
    fn number_of(&self, address: SocketAddr) -> usize;

    /// Does this, sending these bytes.
    fn act(&mut self, kernel: &mut K, number: usize, act: Act, bytes: &[u8]) -> Outcome;

    /// Waits until both ends of this connection are as they are said to be.
    fn settle(&mut self, number: usize, ours: Option<&K::Stream>, link: &Link);

    /// Whether nothing of what we have sent moves until the far end, which has not read so many
    /// bytes of it, does read.
    fn is_still(&self, number: usize, untaken: usize) -> bool;
}

/// A kernel and all that is connected to it.
pub struct Machine<K: Kernel, F> {
    pub kernel: K,
    pub listener: Option<K::Listener>,
    pub ours: Vec<Option<K::Stream>>,
    pub remote: F,
}

/// Whom the kernel calls connection `number`.
pub fn token(number: usize) -> Token {
    Token::peer(PeerId {
        slot: u32::try_from(number).unwrap(),
        generation: 1,
    })
}

impl<K: Kernel, F: FarEnds<K>> Machine<K, F> {
    pub fn new(mut kernel: K, mut listener: K::Listener, remote: F) -> Machine<K, F> {
        kernel.listen(&mut listener, Token::listener(0)).unwrap();
        Machine {
            kernel,
            listener: Some(listener),
            ours: Vec::new(),
            remote,
        }
    }

    /// Does this step; what a far end sends begins with its byte number `sent`.
    pub fn take(&mut self, step: Step, sent: usize) -> Outcome {
        match step {
            Step::Connect => {
                self.ours.push(None);
                self.remote.connect(&mut self.kernel)
            }
            Step::Far(number, act) => {
                let bytes = match act {
                    Act::Send(count) => bytes_of(sent, count),
                    Act::Finish | Act::Reset | Act::Close | Act::Receive(_) => Vec::new(),
                };
                self.remote.act(&mut self.kernel, number, act, &bytes)
            }
            Step::Wait => self.wait(Duration::ZERO),
            Step::Accept => {
                let listener = self.listener.as_mut().unwrap();
                match self.kernel.accept(listener) {
                    Ok((stream, address)) => {
                        let number = self.remote.number_of(address);
                        self.ours[number] = Some(stream);
                        Outcome::Accepted(number)
                    }
                    Err(error) => failed(&error),
                }
            }
            Step::Our(number, call) => self.call(number, call),
            Step::CloseListener => {
                let listener = self.listener.take().unwrap();
                self.kernel.close_listener(listener);
                Outcome::Done
            }
        }
    }

    pub fn wait(&mut self, timeout: Duration) -> Outcome {
        let mut ready = Vec::new();
        loop {
            match self.kernel.wait(Some(timeout), &mut ready) {
                Ok(crowding) => return Outcome::Told(ready, crowding),
                // A signal for somebody else of this process.
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return failed(&error),
            }
        }
    }

    fn call(&mut self, number: usize, call: Call) -> Outcome {
        let kernel = &mut self.kernel;
        let stream = self.ours[number].as_mut().unwrap();
        let token = token(number);
        let done = match call {
            Call::Register(interest) => kernel.register(stream, token, interest),
            Call::Reregister(interest) => kernel.reregister(stream, token, interest),
            Call::Shutdown => kernel.shutdown(stream),
            Call::Read(count) => {
                let mut buffer = vec![0; count];
                let read = kernel.read(stream, &mut buffer);
                return received(read, buffer);
            }
            Call::Peek(count) => {
                let mut buffer = vec![0; count];
                let read = kernel.peek(stream, &mut buffer);
                return received(read, buffer);
            }
            Call::Write(count) => {
                let written = kernel.write(stream, &vec![b'x'; count]);
                return written.map_or_else(|error| failed(&error), Outcome::Count);
            }
            Call::Delivery => {
                let delivery = kernel.delivery(stream);
                return delivery.map_or_else(
                    |error| failed(&error),
                    |told| Outcome::Delivered(told.acknowledged, told.is_complete),
                );
            }
            Call::TakeError => {
                let error = kernel.take_error(stream).unwrap();
                return Outcome::TookError(error.and_then(|error| error.raw_os_error()));
            }
            Call::Reset => {
                kernel.reset(self.ours[number].take().unwrap());
                Ok(())
            }
            Call::Close => {
                kernel.close(self.ours[number].take().unwrap());
                Ok(())
            }
        };
        done.map_or_else(|error| failed(&error), |()| Outcome::Done)
    }
}

fn bytes_of(sent: usize, count: usize) -> Vec<u8> {
    (sent..sent + count)
        .map(|at| at.to_le_bytes()[0] ^ at.to_le_bytes()[1])
        .collect()
}

fn received(read: std::io::Result<usize>, mut buffer: Vec<u8>) -> Outcome {
    match read {
        Ok(count) => {
            buffer.truncate(count);
            Outcome::Bytes(buffer)
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &std::io::Error) -> Outcome {
    Outcome::Errno(error.raw_os_error().expect("an error of the system"))
}
