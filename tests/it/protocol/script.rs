//! A stage for machines: it stands where the reactor stands, with peers that are byte queues and a
//! clock that the test moves. No socket, no thread, no real time; the effects of a machine are recorded.

use std::collections::VecDeque;
use std::time::Duration;

use epollo::protocol::{CloseReason, Effects, Event, PeerId, Service, Time};

mod turn;

/// What an outbox takes before it counts as full, in bytes.
pub const ROOM: usize = 64 * 1024;
/// An outbox that shrinks to this wakes its session.
const ROOM_AGAIN: usize = ROOM / 2;
/// Machines that are not quiet after so many turns wake each other for ever.
const TURNS_MAX: usize = 10_000;
/// What the kernel says of a connection that its peer has reset.
const ECONNRESET: i32 = 104;

/// What the machine still hears of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inbound {
    Open,
    /// It left: what comes is thrown away.
    Discarding,
    Finished,
}

struct Peer<Session> {
    session: Session,
    /// What the peer sent and the machine has not read.
    kernel: VecDeque<u8>,
    /// What was typed of a line that is not ended: a terminal keeps it, and nobody can read it.
    held: Vec<u8>,
    /// The peer has ended its half, behind what is in `kernel`.
    has_ended: bool,
    inbound: Inbound,
    /// It was not to be read, and nothing has happened since that would make us ask again.
    is_parked: bool,
    /// Its session asked for the end of the stream.
    was_told_end: bool,
    /// It takes nothing: bytes stay in its outbox.
    is_stuck: bool,
    unsent: usize,
    wake_at: Option<Time>,
}

/// What stays of a peer when it is gone.
#[derive(Default)]
struct Record {
    sent: Vec<u8>,
    looked_at: usize,
    has_end: bool,
    sent_too_late: usize,
    refusal: Option<&'static str>,
    ending: Option<CloseReason>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Run {
    Going,
    StopAsked,
    Stopping,
}

/// A service and its peers.
pub struct Script<S: Service> {
    pub service: S,
    now: Time,
    peers: Vec<Option<Peer<S::Session>>>,
    records: Vec<Record>,
    woken: VecDeque<(PeerId, Event<'static>)>,
    read_bytes_max: usize,
    lingers: bool,
    is_accepting: bool,
    run: Run,
}

impl<S: Service> Script<S> {
    /// A stage without peers, some time after the clock's origin.
    pub fn new(service: S) -> Script<S> {
        Script {
            service,
            now: Time::from_nanos(7_000_000_000),
            peers: Vec::new(),
            records: Vec::new(),
            woken: VecDeque::new(),
            read_bytes_max: usize::MAX,
            lingers: true,
            is_accepting: true,
            run: Run::Going,
        }
    }

    /// No read gives more than so many bytes.
    pub fn reading_at_most(mut self, bytes: usize) -> Script<S> {
        self.read_bytes_max = bytes;
        self
    }

    /// A peer that we leave is closed at once, not when it has ended its half.
    pub fn without_linger(mut self) -> Script<S> {
        self.lingers = false;
        self
    }

    // What peers do.

    /// A peer comes in, and everything that follows from it happens.
    pub fn open(&mut self, origin: S::Origin) -> PeerId {
        let id = self.accept(origin);
        self.settle();
        id
    }

    /// A peer comes in; nobody has been woken yet. Its name is `peer-N`, counted from 0.
    pub fn accept(&mut self, origin: S::Origin) -> PeerId {
        assert!(
            self.is_accepting,
            "nobody comes in when listeners are closed"
        );
        let slot = u32::try_from(self.peers.len()).unwrap();
        let id = PeerId {
            slot,
            generation: 1,
        };
        let mut effects = Effects::default();
        let mut cx = effects.context(self.now, id, ROOM);
        let session = self.service.open(
            &mut cx,
            origin,
            &epollo::protocol::Peer {
                id,
                address: None,
                name: format_args!("peer-{slot}"),
            },
        );
        self.peers.push(Some(Peer {
            session,
            kernel: VecDeque::new(),
            held: Vec::new(),
            has_ended: false,
            inbound: Inbound::Open,
            is_parked: false,
            was_told_end: false,
            is_stuck: false,
            unsent: 0,
            wake_at: None,
        }));
        self.records.push(Record::default());
        self.carry_out(id, &effects, &[]);
        id
    }

    /// The peer sends these bytes; everything that follows happens.
    pub fn send(&mut self, id: PeerId, bytes: impl AsRef<[u8]>) {
        self.put(id, bytes);
        self.settle();
    }

    /// The peer sends these bytes one at a time, so close together that no time passes.
    pub fn send_bytewise(&mut self, id: PeerId, bytes: impl AsRef<[u8]>) {
        for byte in bytes.as_ref() {
            self.send(id, [*byte]);
        }
    }

    /// The peer sends these bytes; they wait in its kernel queue.
    pub fn put(&mut self, id: PeerId, bytes: impl AsRef<[u8]>) {
        let peer = self.peer(id).expect("a peer that is there");
        assert!(!peer.has_ended, "a peer that has ended sends nothing");
        peer.kernel.extend(bytes.as_ref());
        peer.is_parked = false;
    }

    /// The peer types these bytes at a terminal, which hands on whole lines; everything that follows
    /// happens.
    pub fn type_in(&mut self, id: PeerId, keys: &str) {
        for line in keys.split_inclusive('\n') {
            let peer = self.peer(id).expect("a peer that is there");
            peer.held.extend(line.as_bytes());
            if line.ends_with('\n') {
                let whole = std::mem::take(&mut peer.held);
                self.put(id, whole);
            }
        }
        self.settle();
    }

    /// The peer ends its half; everything that follows happens.
    pub fn finish(&mut self, id: PeerId) {
        self.put_end(id);
        self.settle();
    }

    /// The peer ends its half, behind what waits in its kernel queue.
    pub fn put_end(&mut self, id: PeerId) {
        let peer = self.peer(id).expect("a peer that is there");
        peer.has_ended = true;
        peer.is_parked = false;
    }

    /// The peer resets its connection; nobody has been woken yet.
    pub fn reset(&mut self, id: PeerId) {
        self.close(id, CloseReason::Broken(ECONNRESET));
    }

    /// The peer takes nothing from now on.
    pub fn block(&mut self, id: PeerId) {
        self.peer(id).expect("a peer that is there").is_stuck = true;
    }

    /// The peer takes everything that waits for it, and what comes after.
    pub fn unblock(&mut self, id: PeerId) {
        let peer = self.peer(id).expect("a peer that is there");
        peer.is_stuck = false;
        peer.is_parked = false;
        if std::mem::take(&mut peer.unsent) > ROOM_AGAIN {
            self.woken.push_back((id, Event::Writable));
        }
        self.settle();
    }

    /// The session is told for no reason that it may send, and that somebody has something for it.
    pub fn nudge(&mut self, id: PeerId) {
        self.woken.push_back((id, Event::Writable));
        self.woken.push_back((id, Event::Notified));
        self.settle();
    }

    /// Time passes; whoever asked to be woken meanwhile is woken at that time.
    pub fn advance(&mut self, duration: Duration) {
        let end = self.now.after(duration);
        for _ in 0..TURNS_MAX {
            let due = self.live().filter_map(|id| {
                let at = self.peers[id.slot as usize].as_ref()?.wake_at?;
                (at <= end).then_some(at)
            });
            let Some(at) = due.min() else {
                self.now = end;
                return self.settle();
            };
            self.now = self.now.max(at);
            self.settle();
        }
        panic!("a timer is asked for again and again");
    }

    /// The program is asked to end.
    pub fn stop(&mut self) {
        self.run = Run::StopAsked;
        self.settle();
    }

    // What peers see.

    /// What the peer was sent since this was last asked.
    pub fn sent(&mut self, id: PeerId) -> Vec<u8> {
        let record = &mut self.records[id.slot as usize];
        let fresh = record.sent[record.looked_at..].to_vec();
        record.looked_at = record.sent.len();
        fresh
    }

    /// The same as text.
    pub fn shown(&mut self, id: PeerId) -> String {
        String::from_utf8(self.sent(id)).unwrap()
    }

    /// Whether the peer has been told that no more comes.
    pub fn has_end(&self, id: PeerId) -> bool {
        self.records[id.slot as usize].has_end
    }

    /// How many bytes were sent to the peer after it was told that no more comes, or was gone.
    pub fn sent_too_late(&self, id: PeerId) -> usize {
        self.records[id.slot as usize].sent_too_late
    }

    /// What the peer did wrong.
    pub fn refusal(&self, id: PeerId) -> Option<&'static str> {
        self.records[id.slot as usize].refusal
    }

    /// How the peer ended, if it did.
    pub fn ending(&self, id: PeerId) -> Option<CloseReason> {
        self.records[id.slot as usize].ending
    }

    /// How many bytes of the peer have not been read.
    pub fn unread(&self, id: PeerId) -> usize {
        let peer = self.peers[id.slot as usize].as_ref();
        peer.map_or(0, |peer| peer.kernel.len())
    }

    /// How many bytes the machine would take of the peer now.
    pub fn read_limit(&self, id: PeerId) -> usize {
        let peer = self.peers[id.slot as usize].as_ref();
        peer.map_or(0, |peer| self.service.read_limit(&peer.session))
    }

    /// Whether the run has ended or is about to.
    pub fn has_stopped(&self) -> bool {
        self.run != Run::Going
    }

    fn peer(&mut self, id: PeerId) -> Option<&mut Peer<S::Session>> {
        self.peers[id.slot as usize].as_mut()
    }

    fn live(&self) -> impl Iterator<Item = PeerId> {
        let slots = self.peers.iter().zip(0..);
        slots
            .filter(|(peer, _)| peer.is_some())
            .map(|(_, slot)| PeerId {
                slot,
                generation: 1,
            })
    }
}
