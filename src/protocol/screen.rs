//! What our own user sees: whole lines and one prompt, on a terminal or in a pipe. It decides when
//! a line break is due and what is dropped when the terminal is stuck; the words are its callers'.

use std::fmt;

use super::Context;
use super::display::in_rows;

/// The output side of a terminal's session.
#[derive(Debug)]
pub struct Screen {
    prompts: bool,
    prompt_shown: bool,
    lines_dropped: u64,
}

impl Screen {
    /// A screen that shows prompts only if `prompts` is true (a terminal, not a pipe).
    pub fn new(prompts: bool) -> Screen {
        Screen {
            prompts,
            prompt_shown: false,
            lines_dropped: 0,
        }
    }

    /// Shows one line, on indented rows if the window is narrower. If a prompt stands on the screen,
    /// the line goes below it. A line for which the outbox has no room is dropped and counted.
    ///
    /// Whatever a peer had a part in must be wrapped in [`Escaped`](super::display::Escaped).
    pub fn line(&mut self, cx: &mut Context<'_>, line: fmt::Arguments<'_>) {
        if cx.send_capacity() == 0 {
            self.lines_dropped += 1;
            return;
        }
        let below = if std::mem::take(&mut self.prompt_shown) {
            "\n"
        } else {
            ""
        };
        match cx.columns() {
            Some(columns) => {
                let rows = in_rows(&line.to_string(), columns);
                compose(cx, format_args!("{below}{rows}\n"));
            }
            None => compose(cx, format_args!("{below}{line}\n")),
        }
    }

    /// Shows a prompt unless one is there. Returns whether one is there now.
    pub fn prompt(&mut self, cx: &mut Context<'_>, prompt: fmt::Arguments<'_>) -> bool {
        if self.prompts && !self.prompt_shown && cx.send_capacity() > 0 {
            self.prompt_shown = true;
            compose(cx, prompt);
        }
        self.prompt_shown
    }

    /// No prompt is in the last row any more: the user ended a line, or somebody else has written on the
    /// screen. If one is due, it is drawn again.
    pub fn drawn_over(&mut self) {
        self.prompt_shown = false;
    }

    /// The session ends: leaves the cursor at the start of a line.
    pub fn end(&mut self, cx: &mut Context<'_>) {
        if std::mem::take(&mut self.prompt_shown) {
            cx.send(b"\n");
        }
    }

    /// How many lines were dropped because nobody took them.
    pub fn lines_dropped(&self) -> u64 {
        self.lines_dropped
    }
}

fn compose(cx: &mut Context<'_>, text: fmt::Arguments<'_>) {
    cx.send(text.to_string().as_bytes());
}

/// How many lines of output were lost, in words.
#[derive(Clone, Copy, Debug)]
pub struct Lost(pub usize);

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("1 line of output was lost"),
            count => write!(f, "{count} lines of output were lost"),
        }
    }
}
