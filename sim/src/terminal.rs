//! Terminal capabilities of an output stream.

use std::{
    io::{IsTerminal, stderr, stdout},
    os::fd::AsRawFd,
};

use anstream::ColorChoice;
use anstyle::{AnsiColor, Style};
use dzsim_scenario::Look;

/// Columns where none can be asked for.
const WIDE: usize = 140;

/// Colours, width, and whether a line can be written over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terminal {
    /// Whether to write colours: on a terminal, unless `NO_COLOR` or `TERM=dumb` says otherwise.
    pub colour: bool,
    /// Columns of the terminal; `None` cuts nothing.
    pub width: Option<usize>,
    /// Whether the last line can be replaced.
    pub live: bool,
}

impl Terminal {
    /// A file or a pipe.
    pub const NONE: Self = Self { colour: false, width: None, live: false };

    /// Standard output.
    pub fn of_stdout() -> Self {
        Self::of(&stdout(), anstream::AutoStream::choice(&stdout()))
    }

    /// Standard error.
    pub fn of_stderr() -> Self {
        Self::of(&stderr(), anstream::AutoStream::choice(&stderr()))
    }

    fn of(stream: &(impl IsTerminal + AsRawFd), choice: ColorChoice) -> Self {
        let terminal = stream.is_terminal();
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self {
            colour: choice != ColorChoice::Never,
            width: terminal.then(|| columns(stream).unwrap_or(80).max(20)),
            live: terminal && !dumb,
        }
    }

    /// How diagnostics look on it.
    pub fn look(self) -> Look {
        Look { colour: self.colour, width: self.width.unwrap_or(WIDE) }
    }

    /// The text in a style, if there are colours.
    pub fn paint(self, style: Style, text: &str) -> String {
        if self.colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// The text cut to what is left of a line after `taken` columns, with an ellipsis where something is missing.
    pub fn fit(self, text: &str, taken: usize) -> String {
        let Some(width) = self.width else { return text.to_owned() };
        let room = width.saturating_sub(taken).max(1);
        if text.chars().count() <= room {
            return text.to_owned();
        }
        text.chars().take(room - 1).chain(['…']).collect()
    }
}

/// Columns of a terminal; none if it does not say, as a serial line.
fn columns(stream: &impl AsRawFd) -> Option<usize> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the call writes a `winsize`, which lives through it.
    let result = unsafe { libc::ioctl(stream.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    (result == 0 && size.ws_col > 0).then(|| usize::from(size.ws_col))
}

/// Good news.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Bad news.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// Neither.
pub const NEITHER: Style = AnsiColor::Yellow.on_default();
/// What stands back.
pub const FAINT: Style = Style::new().dimmed();
/// What stands out.
pub const STRONG: Style = Style::new().bold();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_at_the_width_and_says_that_it_was() {
        let terminal = Terminal { width: Some(20), ..Terminal::NONE };
        assert_eq!(terminal.fit("twelve chars", 8), "twelve chars");
        assert_eq!(terminal.fit("thirteen char", 8), "thirteen ch…");
        assert_eq!(terminal.fit("ö".repeat(30).as_str(), 18), "ö…");
        assert_eq!(Terminal::NONE.fit(&"x".repeat(500), 8).len(), 500);
    }

    #[test]
    fn nothing_is_painted_where_there_are_no_colours() {
        assert_eq!(Terminal::NONE.paint(BAD, "x"), "x");
        assert_eq!(Terminal { colour: true, ..Terminal::NONE }.paint(FAINT, "x"), "\u{1b}[2mx\u{1b}[0m");
    }
}
