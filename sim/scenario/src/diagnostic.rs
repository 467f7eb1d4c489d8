//! Diagnostics of a scenario file, for people and for programs.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::Serialize;

use crate::yaml::Place;

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// The file as it was named to the parser.
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// Path in the document, such as `network.devices.nyc1.exchange`; empty for the document itself.
    pub path: String,
    /// The offending value, where it is one word; empty otherwise.
    pub value: String,
    /// What was found and what was expected.
    pub message: String,
    /// What to do about it; empty if there is no good guess.
    pub help: String,
    /// The line of the file.
    pub snippet: String,
    /// How many characters of the line are meant, from `column` on.
    pub length: usize,
}

/// Everything that is wrong with a file, in the order of its lines; never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// The diagnostics in the order of the file's lines.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// The same about the file under another name, such as the one that its user knows.
    #[must_use]
    pub fn named(mut self, file: &Path) -> Self {
        self.list.iter_mut().for_each(|diagnostic| diagnostic.file = file.to_owned());
        self
    }

    /// The text for people: for each, message, place, snippet and help, for a terminal of this width.
    pub fn render(&self, look: Look) -> String {
        let texts: Vec<String> = self.list.iter().map(|diagnostic| diagnostic.render(look)).collect();
        texts.join("\n\n") + "\n"
    }
}

/// How diagnostics look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Whether to use terminal colours.
    pub colour: bool,
    /// Columns; a longer line of the file is cut around what is meant.
    pub width: usize,
}

impl Look {
    /// No colour, and wide enough for nearly every line.
    pub const PLAIN: Self = Self { colour: false, width: 140 };
}

impl std::error::Error for Diagnostics {}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Look::PLAIN))
    }
}

impl Diagnostic {
    /// The text for people: message, place, snippet and help.
    pub fn render(&self, look: Look) -> String {
        let renderer = if look.colour { Renderer::styled() } else { Renderer::plain() };
        let path = self.file.display().to_string();
        let snippet = Snippet::source(self.snippet.as_str())
            .line_start(self.line)
            .path(path)
            .annotation(AnnotationKind::Primary.span(self.bytes()));
        let mut group = Level::ERROR.primary_title(self.message.as_str()).element(snippet);
        if !self.path.is_empty() {
            group = group.element(Level::NOTE.no_name().message(format!("at {}", self.path)));
        }
        if !self.help.is_empty() {
            group = group.element(Level::HELP.message(self.help.as_str()));
        }
        renderer.term_width(look.width).render(&[group])
    }

    /// What is meant, in bytes of the line.
    fn bytes(&self) -> std::ops::Range<usize> {
        let at =
            |character: usize| self.snippet.char_indices().nth(character).map_or(self.snippet.len(), |(byte, _)| byte);
        at(self.column - 1)..at(self.column - 1 + self.length)
    }
}

/// Collects what is wrong with one file.
pub(crate) struct Sink<'a> {
    file: PathBuf,
    lines: Vec<&'a str>,
    list: Vec<Diagnostic>,
}

impl<'a> Sink<'a> {
    pub(crate) fn new(file: PathBuf, text: &'a str) -> Self {
        Self { file, lines: text.lines().collect(), list: Vec::new() }
    }

    pub(crate) fn report(&mut self, place: Place, path: &str, value: &str, message: String, help: String) {
        // The parser may point behind the last line or column: the caret then stands at the end of what there is.
        let line = place.line.clamp(1, self.lines.len().max(1));
        let snippet = self.lines.get(line - 1).copied().unwrap_or_default();
        let width = snippet.chars().count();
        let column = if place.line > line { width + 1 } else { place.column.clamp(1, width + 1) };
        let length = place.len.clamp(1, (width + 1 - column).max(1));
        let (column, length) = narrow(snippet, column, length, value);
        let diagnostic = Diagnostic {
            file: self.file.clone(),
            line,
            column,
            path: path.to_owned(),
            value: value.to_owned(),
            message,
            help,
            snippet: snippet.to_owned(),
            length,
        };
        // The cases of a matrix repeat what they share.
        if !self.list.contains(&diagnostic) {
            self.list.push(diagnostic);
        }
    }

    pub(crate) fn finish(mut self) -> Result<(), Diagnostics> {
        if self.list.is_empty() {
            return Ok(());
        }
        self.list.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
        Err(Diagnostics { list: self.list })
    }
}

/// The part of a place in which the value itself stands, where that is less: one word of a command line.
fn narrow(line: &str, column: usize, length: usize, value: &str) -> (usize, usize) {
    let part: String = line.chars().skip(column - 1).take(length).collect();
    match part.find(value) {
        Some(at) if !value.is_empty() => (column + part[..at].chars().count(), value.chars().count()),
        _ => (column, length),
    }
}

/// "did you mean" for a word that is not among the known ones, or the list of those if nothing is near.
pub(crate) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let similar = similar(word, known.iter().copied());
    if similar.is_empty() && !known.is_empty() && known.len() <= MOST_LISTED {
        return format!("known here: {}", known.join(", "));
    }
    similar
}

/// "did you mean" for a word that is not among the known ones; empty if nothing is near.
pub(crate) fn similar<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    let slips = (word.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= slips)
        .min()
        .map(|(_, candidate)| format!("did you mean `{candidate}`?"))
        .unwrap_or_default()
}

/// Longer lists of known words do not help.
const MOST_LISTED: usize = 24;
