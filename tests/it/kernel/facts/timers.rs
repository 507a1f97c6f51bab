//! A timer that is never read still tells, edge-triggered, each time that it goes off.

use std::os::fd::AsRawFd;
use std::time::Duration;

use mio::unix::SourceFd;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use super::{READABLE, Watch};

fn in_nanoseconds(nanoseconds: i64) -> Itimerspec {
    Itimerspec {
        it_interval: Timespec::default(),
        it_value: Timespec {
            tv_sec: 0,
            tv_nsec: nanoseconds,
        },
    }
}

#[test]
fn a_timer_that_nobody_reads_tells_each_time_it_goes_off() {
    let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
    let timer = timerfd_create(TimerfdClockId::Monotonic, flags).unwrap();
    let mut watch = Watch::new();
    let source = &mut SourceFd(&timer.as_raw_fd());
    let registry = watch.poll.registry();
    registry.register(source, mio::Token(7), READABLE).unwrap();
    for _ in 0..3 {
        timerfd_settime(&timer, TimerfdTimerFlags::empty(), &in_nanoseconds(1)).unwrap();
        let told = watch.one();
        assert_eq!(told.token, mio::Token(7));
        assert_eq!(watch.at_once(), [], "told once");
    }
    // Set anew before it went off: the first time is forgotten.
    let second = in_nanoseconds(999_999_999);
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &second).unwrap();
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &in_nanoseconds(1)).unwrap();
    watch.one();
    assert_eq!(watch.told(Duration::ZERO), [], "told once");
}
