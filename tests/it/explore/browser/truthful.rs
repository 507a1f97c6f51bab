//! Whether what the page says is so: sums add up, hints come true, what is told is on the chart.

use std::io::Write;

use super::{TURN, assert_clean, explored, looking, row, say};
use crate::support::{eventually, read_exactly};

const STRIP: &str = "document.querySelector('#strip').textContent";

/// All numbers of a text.
fn numbers(text: &str) -> Vec<u64> {
    let text = text.replace(',', "");
    let words = text.split(|letter: char| !letter.is_ascii_digit());
    words.filter_map(|word| word.parse().ok()).collect()
}

#[test]
fn an_empty_page_says_what_to_press() {
    let (server, address) = explored("127.0.0.1:0");
    let Some(mut chromium) = looking("page_empty", address) else {
        return;
    };
    for (language, words) in [
        ("en", "Press “echo” under “Try it” to connect a client."),
        (
            "ko",
            "‘직접 해 보기’에서 ‘echo’ 버튼을 눌러 클라이언트를 연결해 보세요.",
        ),
    ] {
        chromium.choose("#language", language);
        for place in ["#empty", "#turn-about", "#peers-note"] {
            chromium.until(&format!(
                "document.querySelector('{place}')?.textContent.includes({words:?})"
            ));
        }
    }
    chromium.choose("#language", "en");
    chromium.click("[data-connect=echo]");
    chromium.until("document.querySelector('#empty').textContent === ''");
    chromium.until("document.querySelector('#peers-note').textContent === ''");
    assert_clean(&chromium, address);
    server.stop();
}

/// Also while most turns are left out, and while some are hidden.
#[test]
fn the_turns_that_are_recorded_and_left_out_add_up() {
    let (server, address) = explored("127.0.0.1:0");
    let Some(mut chromium) = looking("page_sums", address) else {
        return;
    };
    let mut clients = [(); 2].map(|()| server.connect("echo"));
    eventually("many turns are left out", || {
        say(&mut clients[0], 200);
        say(&mut clients[1], 1);
        let text = chromium.text(STRIP);
        numbers(&text)
            .last()
            .is_some_and(|&left_out| left_out > 500)
    });
    chromium.value(&format!(
        "{}.querySelector('button').click()",
        row(&clients[1])
    ));
    chromium.click("#pause");
    for filter in ["", "#filter-clear"] {
        if !filter.is_empty() {
            chromium.click(filter);
        }
        // In one go: the page goes on recording.
        let told = chromium.value(&format!("[{STRIP}, record.turns.length]"));
        let text = told[0].as_str().unwrap();
        let [from, to, all, recorded, shown, hidden, left_out] = numbers(text)[..] else {
            panic!("{text}");
        };
        assert_eq!(all, to - from + 1, "{text}");
        assert_eq!(all, recorded + left_out, "{text}");
        assert_eq!(recorded, shown + hidden, "{text}");
        assert_eq!(told[1], recorded, "{text}");
    }
    server.stop();
}

/// At each picture: where the turn in words is, and what is said of it.
const WATCH_CHOSEN: &str = "(() => {
    const paint = timelinePaint;
    window.seen = { on: 0, off: 0, wrong: [] };
    timelinePaint = () => {
        paint();
        if (!record.chosen || record.paused) return;
        const place = timeline.places.find(({ turn }) => turn === record.chosen);
        const isOn = place !== undefined && place.to > 24;
        const words = document.querySelector('#turn-about').textContent;
        seen[isOn ? 'on' : 'off'] += 1;
        if (isOn === words.includes('scrolled off the chart')) seen.wrong.push(`${isOn}: ${words}`);
    };
    return 0;
})()";

#[test]
fn the_turn_in_words_is_on_the_chart_or_said_to_be_off_it() {
    let (server, address) = explored("127.0.0.1:0");
    let Some(mut chromium) = looking("page_scrolls", address) else {
        return;
    };
    chromium.resize(390);
    chromium.value(WATCH_CHOSEN);
    let mut client = server.connect("echo");
    eventually("it was on the chart and off it", || {
        say(&mut client, 20);
        chromium.value("seen.wrong.length > 0 || (seen.on > 0 && seen.off > 0)") == true
    });
    assert_eq!(chromium.text("seen.wrong.join('; ')"), "");
    // Whoever stops to read it has it back.
    chromium.click("#pause");
    chromium.until("!document.querySelector('#turn-about').textContent.includes('scrolled')");
    server.stop();
}

#[test]
fn a_read_that_is_held_back_says_why() {
    let (server, address) = explored("127.0.0.1:0");
    let Some(mut chromium) = looking("page_holds", address) else {
        return;
    };
    chromium.click("[data-connect=echo]");
    chromium.until(&format!("{TURN}.includes('Opened: echo')"));
    chromium.click("[data-act=stop-reading]");
    chromium.until("document.querySelector('#try-answer').textContent.includes('128 KiB')");
    let all = "record.turns.flatMap((turn) => turn.steps).filter(({ kind }) => kind === 'hold')";
    eventually("back-pressure holds a read back", || {
        chromium.click("[data-act=flood]");
        chromium.value(&format!("{all}.length > 0")) == true
    });
    let words = chromium.text(&format!("sentence({all}[0])"));
    let amount = words
        .strip_prefix("Not read: ")
        .and_then(|rest| rest.strip_suffix(" are waiting in its outbox"));
    assert!(
        amount.is_some_and(|amount| amount.ends_with("KiB")),
        "{words}"
    );
    assert_eq!(chromium.text(&format!("laneOf({all}[0])")), "read");

    chromium.click("#filter-clear");
    let first = server.connect("chat");
    let mut second = server.connect("chat");
    chromium.until(&row(&second));
    second.write_all(b"out of turn\n").unwrap();
    let name = second.local_addr().unwrap();
    let held = format!("{all}.find(({{ name }}) => name === '{name}')");
    chromium.value(&format!("setFilter('{name}')"));
    chromium.until(&held);
    let words = chromium.text(&format!("sentence({held})"));
    assert_eq!(words, "Not read: its session accepts no more now");
    drop((first, second));
    server.stop();
}

/// With the framing `auto`, which is the default, silence ends a message.
#[test]
fn half_a_message_comes_to_what_its_hint_says() {
    let (server, address) = explored("127.0.0.1:0");
    let Some(mut chromium) = looking("page_half", address) else {
        return;
    };
    let mut partner = server.connect("chat");
    chromium.until(&row(&partner));
    chromium.click("[data-connect=chat]");
    chromium.until("document.querySelector('#try-clients input:checked') !== null");
    partner.write_all(b"you speak\n").unwrap();
    chromium.click("[data-act=half-frame]");
    chromium.until("document.querySelector('#try-answer').textContent.includes('50 ms')");
    assert_eq!(read_exactly(&mut partner, 15), b"half of a mess\n");
    drop(partner);
    server.stop();
}
