//! Whether everybody can read the page: axe-core finds nothing, no label is cut off, colours mean one
//! thing. What the page says is not judged here.

use std::path::PathBuf;

use super::chromium::Chromium;
use super::{TURN, explored, looking, say};
use crate::support::Server;

const LANGUAGES: [&str; 2] = ["en", "ko"];
const THEMES: [&str; 2] = ["light", "dark"];
const WIDTHS: [u32; 4] = [390, 1280, 1440, 1920];

/// The text of axe-core (`npm install --prefix target/axe axe-core`; `AXE_CORE` names another place).
fn axe(test: &str) -> Option<String> {
    let usual = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/target/axe/node_modules/axe-core/axe.min.js"
    );
    let path = std::env::var_os("AXE_CORE").map_or_else(|| PathBuf::from(usual), PathBuf::from);
    let text = std::fs::read_to_string(&path).ok();
    if text.is_none() {
        let path = path.display();
        eprintln!("SKIPPED {test}: there is no {path} (npm install --prefix target/axe axe-core)");
    }
    text
}

/// What axe-core finds wrong with the page as it is, a line each.
const VIOLATIONS: &str = "axe.run().then(({ violations }) => violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id} ${target}: ${failureSummary}`)).join('\\n'))";

/// A page on which clients of all kinds come, talk and do not read.
fn lively(test: &str) -> Option<(Server, Chromium)> {
    let (server, address) = explored("127.0.0.1:0");
    let mut chromium = looking(test, address)?;
    for service in ["chat", "chat", "echo"] {
        chromium.click(&format!("[data-connect={service}]"));
        chromium.until(&format!("{TURN}.includes('Opened: {service}')"));
    }
    chromium.click("#try-send");
    chromium.until(&format!("{TURN}.includes('Wrote 6 B: all of it')"));
    Some((server, chromium))
}

/// In every language and theme.
fn in_every_dress(chromium: &mut Chromium, mut look: impl FnMut(&mut Chromium, &str)) {
    for language in LANGUAGES {
        chromium.choose("#language", language);
        for theme in THEMES {
            chromium.choose("#theme", theme);
            look(chromium, &format!("{language} {theme}"));
        }
    }
}

#[test]
fn axe_finds_no_violation_in_any_language_and_theme() {
    let test = "page_is_accessible";
    let Some(axe) = axe(test) else { return };
    let (server, address) = explored("127.0.0.1:0");
    let Some(mut chromium) = looking(test, address) else {
        return;
    };
    chromium.value(&format!("{axe};0"));
    in_every_dress(&mut chromium, |chromium, dress| {
        assert_eq!(chromium.text(VIOLATIONS), "", "empty, {dress}");
    });
    drop(chromium);
    server.stop();

    let Some((server, mut chromium)) = lively(test) else {
        return;
    };
    chromium.value(&format!("{axe};0"));
    chromium.click("#pause");
    for width in WIDTHS {
        chromium.resize(width);
        in_every_dress(&mut chromium, |chromium, dress| {
            assert_eq!(chromium.text(VIOLATIONS), "", "{width} {dress}");
        });
    }
    server.stop();
}

/// Texts that are cut off by what they stand in, or that reach beyond the page; lists that must be
/// pushed sideways; hints that do not fit their fields.
const CUT_OFF: &str = "(() => {
    const bad = new Set();
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node; (node = walker.nextNode());) {
        const box = document.createRange();
        box.selectNodeContents(node);
        const { left, right, width } = box.getBoundingClientRect();
        const isHidden = node.parentElement.closest('.skip, [hidden]')
            || getComputedStyle(node.parentElement.closest('thead') ?? document.body).clipPath !== 'none';
        if (width === 0 || node.textContent.trim() === '' || isHidden) continue;
        if (right > innerWidth + 1) bad.add(`beyond the page: ${node.textContent}`);
        for (let around = node.parentElement; around !== document.body; around = around.parentElement) {
            if (getComputedStyle(around).overflowX === 'visible' && around.tagName !== 'svg') continue;
            const edge = around.getBoundingClientRect();
            if (left < edge.left - 1 || right > edge.right + 1) bad.add(`cut off: ${node.textContent}`);
        }
    }
    for (const field of document.querySelectorAll('input[placeholder]')) {
        const style = getComputedStyle(field);
        const pen = document.createElement('canvas').getContext('2d');
        pen.font = `${style.fontSize} ${style.fontFamily}`;
        const room = field.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
        if (pen.measureText(field.placeholder).width > room) bad.add(`no room: ${field.placeholder}`);
    }
    return [...bad].join('\\n');
})()";

/// From now on every text that is drawn on the timeline is written down, with its ends; a new picture
/// begins anew.
const WATCH_LABELS: &str = "(() => {
    const pen = CanvasRenderingContext2D.prototype;
    const { fillText, clearRect } = pen;
    window.labels = [];
    pen.clearRect = function (x, y, width, height) {
        const { width: all } = this.canvas.getBoundingClientRect();
        if (width >= Math.floor(all)) labels.length = 0;
        else if (height > 10) labels = labels.map((label) => ({ ...label, isWiped: label.isWiped
            || (Math.abs(label.y - y) < height && label.to > x && label.from < x + width) }));
        return clearRect.apply(this, arguments);
    };
    pen.fillText = function (text, x, y) {
        const wide = this.measureText(text).width;
        const from = this.textAlign === 'center' ? x - wide / 2 : x;
        labels.push({ text, from, to: from + wide, y, isWiped: false });
        return fillText.apply(this, arguments);
    };
    return 0;
})()";

/// Labels of the picture as it stands that are cut off at an edge or lie on each other.
const LABELS_CUT_OFF: &str = "new Promise((answer) => {
    timelineDraw();
    requestAnimationFrame(() => requestAnimationFrame(() => {
        const { width } = document.querySelector('#timeline').getBoundingClientRect();
        const bad = labels.filter(({ text, from, to, y, isWiped }) => isWiped || from < 0 || to > width
            || labels.some((other) => other.text !== text && other.y === y && other.from < to && from < other.to));
        answer(labels.length === 0 ? 'no label' : bad.map(({ text, from }) => `${text} at ${from}`).join());
    }));
})";

#[test]
fn no_label_is_cut_off_at_any_width() {
    let Some((server, mut chromium)) = lively("page_labels") else {
        return;
    };
    let mut client = server.connect("echo");
    chromium.click("#filter-clear");
    chromium.value(WATCH_LABELS);
    let turns = "record.turns.length";
    let before = chromium.value(turns).as_u64().unwrap();
    say(&mut client, 30);
    chromium.until(&format!("{turns} > {before} + 10"));
    chromium.click("#pause");
    for width in WIDTHS {
        chromium.resize(width);
        in_every_dress(&mut chromium, |chromium, dress| {
            assert_eq!(chromium.text(CUT_OFF), "", "{width} {dress}");
        });
        // Also where the chosen turn stands close to an edge or to another's label.
        for _ in 0..6 {
            chromium.press("ArrowLeft");
            assert_eq!(chromium.text(LABELS_CUT_OFF), "", "timeline, {width}");
        }
    }
    drop(client);
    server.stop();
}

#[test]
fn working_has_a_colour_of_its_own() {
    let (server, address) = explored("127.0.0.1:0");
    let Some(mut chromium) = looking("page_colours", address) else {
        return;
    };
    for theme in THEMES {
        chromium.choose("#theme", theme);
        let working =
            chromium.text("getComputedStyle(document.querySelector('#dial .busy')).stroke");
        let lanes = chromium.value(
            "[...document.querySelectorAll('#lanes .lane')].map((lane) => {
                 const probe = lane.parentElement.appendChild(document.createElement('i'));
                 probe.style.color = getComputedStyle(lane.parentElement).getPropertyValue('--hue')
                     || getComputedStyle(lane).getPropertyValue('--hue');
                 const { color } = getComputedStyle(probe);
                 probe.remove();
                 return color;
             })",
        );
        let lanes: Vec<&str> = lanes
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|lane| lane.as_str())
            .collect();
        assert_eq!(lanes.len(), 6);
        assert!(
            !lanes.contains(&&*working),
            "{theme}: {working} in {lanes:?}"
        );
    }
    server.stop();
}
