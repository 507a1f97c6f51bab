//! `cargo bench --bench steps`: single steps of the protocols, without a socket: what a message costs before
//! the kernel has its share. Criterion keeps the last run and tells what has changed since.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use epollo::protocol::chat::{self, Chat, Partner};
use epollo::protocol::echo::{self, Echo};
use epollo::protocol::framing::{Decoder, Framing, PADDED_BYTES, SILENCE, encode};
use epollo::protocol::hello::Hello;
use epollo::protocol::{Effects, Event, Peer, PeerId, Service, Time};

const ME: PeerId = PeerId {
    slot: 0,
    generation: 1,
};
const ROOM: usize = 1 << 20;
const MESSAGE_BYTES_MAX: usize = 4096;
const TEXT: &[u8] = b"a message of 64 bytes, as a person may type it, and no more than";
const FRAMINGS: [(&str, Framing); 4] = [
    ("line", Framing::Line),
    ("nul", Framing::Nul),
    ("padded", Framing::Padded(PADDED_BYTES)),
    ("chunk", Framing::Chunk),
];

fn peer() -> Peer<'static> {
    Peer {
        id: ME,
        address: None,
        name: format_args!("127.0.0.1:40112"),
    }
}

/// A session of this service, and a step of it again and again.
fn step<S: Service>(
    criterion: &mut Criterion,
    name: &str,
    mut service: S,
    origin: S::Origin,
    bytes: &[u8],
) {
    let mut effects = Effects::default();
    let mut cx = effects.context(Time::ZERO, ME, ROOM);
    let mut session = service.open(&mut cx, origin, &peer());
    let mut group = criterion.benchmark_group("step");
    group.throughput(Throughput::Elements(1));
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            effects.clear();
            let mut cx = effects.context(Time::ZERO, ME, ROOM);
            service.step(&mut cx, &mut session, Event::Received(black_box(bytes)));
            black_box(effects.bytes().len())
        });
    });
    assert!(!effects.bytes().is_empty(), "{name} answers nothing");
}

fn echo(criterion: &mut Criterion) {
    let server = || Echo::new(echo::Settings::default());
    step(criterion, "echo of 64 B", server(), (), TEXT);
    step(criterion, "echo of 64 KiB", server(), (), &[b'x'; 65_536]);
}

fn parrot(criterion: &mut Criterion) {
    for (name, framing) in FRAMINGS {
        if framing == Framing::Chunk {
            // A chunk is answered after a silence, not by the step that receives it.
            continue;
        }
        let server = Chat::new(chat::Settings {
            partner: Partner::Parrot,
            framing,
            quit: b"QUIT".to_vec(),
            message_bytes_max: MESSAGE_BYTES_MAX,
            message_time_max: None,
            turn_time_max: None,
            prompts: false,
        });
        let mut message = Vec::new();
        encode(framing, TEXT, &mut message);
        let name = format!("turn of chat with a parrot, {name}");
        step(criterion, &name, server, chat::Origin::Remote, &message);
    }
}

fn hello(criterion: &mut Criterion) {
    let mut service = Hello::new(b"Hello World!\0".to_vec());
    let mut effects = Effects::default();
    criterion.bench_function("step/open of hello", |bencher| {
        bencher.iter(|| {
            effects.clear();
            let mut cx = effects.context(Time::ZERO, ME, ROOM);
            service.open(&mut cx, (), &peer());
            black_box(effects.bytes().len())
        });
    });
}

fn framing(criterion: &mut Criterion) {
    let after_silence = Time::ZERO.after(SILENCE);
    for (name, framing) in FRAMINGS {
        let mut message = Vec::new();
        criterion.bench_function(&format!("encode/{name}"), |bencher| {
            bencher.iter(|| {
                message.clear();
                encode(framing, black_box(TEXT), &mut message);
                black_box(message.len())
            });
        });
        criterion.bench_function(&format!("decode/{name}"), |bencher| {
            let fresh = || Decoder::new(framing, MESSAGE_BYTES_MAX);
            let decode = |mut decoder: Decoder| {
                decoder.receive(black_box(&message), Time::ZERO);
                let text = decoder.next(after_silence);
                assert!(matches!(&text, Ok(Some(text)) if text == TEXT));
                decoder
            };
            bencher.iter_batched(fresh, decode, BatchSize::SmallInput);
        });
    }
}

criterion_group!(steps, echo, hello, parrot, framing);
criterion_main!(steps);
