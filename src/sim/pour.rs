//! A call that says more than its outbox takes, and stops whenever that is full, until it is told of room. By
//! its timer it judges whether silence is told before bytes. Who calls, and what its far end does, is decided
//! elsewhere.

use std::time::Duration;

use super::kernel::{Action, DELAY};
use super::socket::Socket;
use crate::protocol::{CloseReason, Context, Event, Time};
use crate::reactor::{OUTBOX_BYTES_LOW, OUTBOX_BYTES_MAX};

/// What it has to say.
const BYTES: u64 = 300_000;
/// It sets its timer anew each time that comes.
const TICK: Duration = Duration::from_millis(12);
/// So many times it may come while there is no room: far longer than its far end reads without pause. However
/// long the process is stopped meanwhile, the timer comes once.
const TICKS_MAX: u32 = 2_000;

/// Its machine.
#[derive(Debug)]
pub(super) struct Pour {
    is_connected: bool,
    /// It has read the end, or the run is to end.
    is_over: bool,
    sent: u64,
    /// It is to be told of room, and how often its timer has come since it was not.
    waits: Option<u32>,
    /// What its timer is set to.
    ticks_at: Time,
    /// Until then, by its timer, nothing came.
    silent_until: Time,
    /// What has come of the time that its far end says, and `silent_until` when it began to come.
    stamp: (Vec<u8>, Time),
}

impl Pour {
    pub(super) fn open(cx: &mut Context<'_>, patience: Duration) -> Pour {
        let mut pour = Pour {
            is_connected: false,
            is_over: false,
            sent: 0,
            waits: None,
            ticks_at: Time::NEVER,
            silent_until: Time::ZERO,
            stamp: (Vec::new(), Time::ZERO),
        };
        pour.set_timer(cx, patience);
        // What is said before the answer waits for it.
        if cx.me().generation.is_multiple_of(2) {
            pour.fill(cx);
        }
        pour
    }

    pub(super) fn step(&mut self, cx: &mut Context<'_>, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Notified => {}
            Event::Stopping => self.is_over = true,
            // What else was asked for before may still come.
            Event::TimerExpired(_) | Event::Writable if self.is_over => {}
            Event::Connected if !self.is_connected && !self.is_over => {
                self.is_connected = true;
                self.set_timer(cx, TICK);
                if self.sent == 0 {
                    self.fill(cx);
                }
            }
            Event::Received(bytes) if self.is_connected => self.hear(bytes)?,
            Event::TimerExpired(at) if self.is_connected && at == self.ticks_at => self.tick(cx)?,
            Event::Writable if self.is_connected => self.on_room(cx)?,
            Event::Eof if self.sent == BYTES => {
                self.is_over = true;
                cx.close();
            }
            Event::Connected
            | Event::Received(_)
            | Event::TimerExpired(_)
            | Event::Writable
            | Event::Eof => return Err(format!("a call that pours gets {event:?}: {self:?}")),
        }
        Ok(())
    }

    /// Unless it breaks.
    pub(super) fn may_end(&self, reason: CloseReason) -> bool {
        match reason {
            CloseReason::Stopped | CloseReason::Evicted => true,
            CloseReason::Finished => self.is_over,
            CloseReason::Broken(_)
            | CloseReason::Idle
            | CloseReason::WriteStalled
            | CloseReason::Lingered
            | CloseReason::Aborted => false,
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        self.is_connected
    }

    fn set_timer(&mut self, cx: &mut Context<'_>, delay: Duration) {
        self.ticks_at = cx.now().after(delay);
        cx.set_timer(Some(self.ticks_at));
    }

    /// Sends as much as there is room for; the first time no more than is enough to be told of room again.
    fn fill(&mut self, cx: &mut Context<'_>) {
        let room = match self.sent {
            0 => OUTBOX_BYTES_LOW + 1,
            _ => cx.send_capacity(),
        };
        let from = self.sent;
        self.sent = BYTES.min(from + room as u64);
        cx.send_with(|buffer| buffer.extend((from..self.sent).map(byte_at)));
        let unsent = OUTBOX_BYTES_MAX - cx.send_capacity();
        self.waits = (unsent > OUTBOX_BYTES_LOW).then_some(0);
        if self.sent == BYTES {
            cx.shutdown_write();
        }
    }

    fn on_room(&mut self, cx: &mut Context<'_>) -> Result<(), String> {
        let room = cx.send_capacity();
        if self.waits.take().is_none() || room < OUTBOX_BYTES_MAX - OUTBOX_BYTES_LOW {
            return Err(format!(
                "a call gets Writable with room for {room} bytes: {self:?}"
            ));
        }
        if self.sent < BYTES {
            self.fill(cx);
        }
        Ok(())
    }

    fn tick(&mut self, cx: &mut Context<'_>) -> Result<(), String> {
        self.silent_until = self.ticks_at;
        self.set_timer(cx, TICK);
        if let Some(ticks) = &mut self.waits {
            *ticks += 1;
            if *ticks > TICKS_MAX {
                return Err(format!("a call never gets Writable: {self:?}"));
            }
        }
        Ok(())
    }

    /// The far end says what time it is. The kernel may hold that back for a little, and may tell of it in two
    /// pieces: of these only the first has to come in time.
    fn hear(&mut self, bytes: &[u8]) -> Result<(), String> {
        for &byte in bytes {
            let (stamp, silent_until) = &mut self.stamp;
            if stamp.is_empty() {
                *silent_until = self.silent_until;
            }
            stamp.push(byte);
            let Ok(nanoseconds) = <[u8; 8]>::try_from(stamp.as_slice()) else {
                continue;
            };
            stamp.clear();
            let said = Time::from_nanos(u64::from_le_bytes(nanoseconds));
            if said.after(DELAY) < *silent_until {
                return Err(format!(
                    "what was said at {said:?} comes after the silence: {self:?}"
                ));
            }
        }
        Ok(())
    }
}

/// What the kernel saw of such a call: each byte comes in its place, and all of them before our end.
pub(super) fn inspect(socket: &Socket, action: Action<'_>) -> Result<(), String> {
    let taken = socket.outbound.taken();
    let is_right = match action {
        Action::Written(bytes) if !socket.is_dead() => {
            let places = taken - bytes.len() as u64..taken;
            places.map(byte_at).eq(bytes.iter().copied())
        }
        Action::Shut => taken == BYTES,
        Action::Written(_)
        | Action::Accepted
        | Action::Reported
        | Action::Read(_)
        | Action::ReadEnd
        | Action::ReadNothing
        | Action::Broken(_)
        | Action::Closed
        | Action::Reset => true,
    };
    is_right.then_some(()).ok_or_else(|| {
        format!("a call pours {taken} bytes of {BYTES}, or others than it said: {action}")
    })
}

fn byte_at(place: u64) -> u8 {
    (place % 251) as u8
}
