//! A timer of the kernel that ends a sleep (timerfd_create(2)). A sleep with a timeout makes the kernel set a timer
//! and cancel it again each time; this one is set only when a deadline comes earlier than what it is set to. It
//! decides nothing.

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) use timer::Alarm;

#[cfg(any(target_os = "linux", target_os = "android"))]
mod timer {
    use std::io;
    use std::os::fd::{AsRawFd as _, OwnedFd};
    use std::time::Duration;

    use mio::unix::SourceFd;
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };

    use crate::protocol::Time;

    /// No listener has this index, and it is not `Token::WAKER`.
    const TOKEN: mio::Token = mio::Token(u32::MAX as usize - 1);

    #[derive(Debug)]
    pub(in super::super) struct Alarm {
        timer: OwnedFd,
        set_to: Time,
    }

    impl Alarm {
        pub(in super::super) fn new(registry: &mio::Registry) -> io::Result<Alarm> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            // Edge-triggered: it is never read, and still tells each time that it goes off.
            let source = &mut SourceFd(&timer.as_raw_fd());
            registry.register(source, TOKEN, mio::Interest::READABLE)?;
            let set_to = Time::NEVER;
            Ok(Alarm { timer, set_to })
        }

        /// Sees to it that a sleep ends after `timeout` at the latest; it may end earlier. Gives the
        /// timeout that is still to be slept with.
        pub(in super::super) fn set(
            &mut self,
            now: Time,
            timeout: Option<Duration>,
        ) -> io::Result<Option<Duration>> {
            let Some(timeout) = timeout.filter(|timeout| !timeout.is_zero()) else {
                return Ok(timeout);
            };
            let deadline = now.after(timeout);
            if deadline < self.set_to {
                let value = Itimerspec {
                    it_interval: Timespec::default(),
                    it_value: Timespec::try_from(timeout)
                        .map_err(|_| io::ErrorKind::InvalidInput)?,
                };
                timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &value)?;
                self.set_to = deadline;
            }
            Ok(None)
        }

        /// Whether an event is its own: it went off.
        pub(in super::super) fn went_off(&mut self, event: &mio::event::Event) -> bool {
            let is_ours = event.token() == TOKEN;
            if is_ours {
                self.set_to = Time::NEVER;
            }
            is_ours
        }
    }
}

/// Elsewhere a sleep has a timeout.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[derive(Debug)]
pub(super) struct Alarm;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
impl Alarm {
    pub(super) fn new(_: &mio::Registry) -> std::io::Result<Alarm> {
        Ok(Alarm)
    }

    pub(super) fn set(
        &mut self,
        _: crate::protocol::Time,
        timeout: Option<std::time::Duration>,
    ) -> std::io::Result<Option<std::time::Duration>> {
        Ok(timeout)
    }

    pub(super) fn went_off(&mut self, _: &mio::event::Event) -> bool {
        false
    }
}
