//! The Markdown of an RFC: sections, claims with their proofs, open questions, figures.
//!
//! - A claim is a list item that begins with its id in bold, `**C1**`; an open question is one with `**Q1**`.
//! - What proves a claim are the links after the word `Proof:` in its item: a scenario (`.yaml`), a test (`.rs`, with the
//!   test's name as the link's text) or a figure (`#figure-...`).
//! - A figure is a fenced code block under a heading `Figure: NAME`, whose first line is a command, `$ dzsim ...`, and
//!   whose other lines are what the command prints.

use std::{fmt, ops::Range, path::PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// The id of a claim or of an open question, such as `C12` or `Q3`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id {
    /// Whether it asks instead of claiming.
    pub question: bool,
    /// Its number.
    pub number: u32,
}

impl Id {
    /// Reads `C1` or `Q1`; none if the text is neither.
    pub fn parse(text: &str) -> Option<Self> {
        let (letter, number) = text.split_at_checked(1)?;
        let question = match letter {
            "C" => false,
            "Q" => true,
            _ => return None,
        };
        let plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        Some(Self { question, number: number.parse().ok().filter(|_| plain)? })
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.question { 'Q' } else { 'C' }, self.number)
    }
}

/// What a claim rests on. Paths are as the link has them: relative to the folder of the RFC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A scenario file.
    Scenario {
        /// The file.
        file: PathBuf,
    },
    /// A test of a Rust file.
    Test {
        /// The file.
        file: PathBuf,
        /// The test's name; for one inside modules, its last part counts.
        name: String,
    },
    /// A figure of the same document, by the anchor of its heading.
    Figure {
        /// The anchor, without `#`.
        anchor: String,
    },
    /// A link that is none of these.
    Unknown {
        /// Where it leads.
        target: String,
    },
}

impl Proof {
    fn of_link(target: &str, text: &str) -> Self {
        let extension = std::path::Path::new(target).extension().and_then(|extension| extension.to_str());
        match (target.strip_prefix("#figure-"), extension) {
            (Some(_), _) => Self::Figure { anchor: target[1..].to_owned() },
            (None, Some("yaml")) => Self::Scenario { file: target.into() },
            (None, Some("rs")) => Self::Test { file: target.into(), name: text.to_owned() },
            _ => Self::Unknown { target: target.to_owned() },
        }
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scenario { file } => write!(f, "scenario {}", file.display()),
            Self::Test { file, name } => write!(f, "test {name} in {}", file.display()),
            Self::Figure { anchor } => write!(f, "figure #{anchor}"),
            Self::Unknown { target } => write!(f, "link {target}"),
        }
    }
}

/// A claim, or an open question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Its id.
    pub id: Id,
    /// Its line in the file, from 1.
    pub line: usize,
    /// The section it stands in.
    pub section: String,
    /// What it says, without its id and its proofs.
    pub text: String,
    /// What proves it.
    pub proofs: Vec<Proof>,
}

/// A command and what it printed when the RFC was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// The anchor that GitHub gives its heading.
    pub anchor: String,
    /// The line of the command, from 1.
    pub line: usize,
    /// The words behind `$ dzsim`.
    pub arguments: Vec<String>,
    /// What stands below the command.
    pub output: String,
    /// The bytes of the file that `output` stands in.
    pub span: Range<usize>,
}

/// A section by its heading of the second level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The heading.
    pub name: String,
    /// Its line.
    pub line: usize,
    /// Whether anything stands below it.
    pub empty: bool,
}

/// An RFC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// The heading of the first level.
    pub title: String,
    /// Sections in order.
    pub sections: Vec<Section>,
    /// Claims and open questions in order.
    pub claims: Vec<Claim>,
    /// Figures in order.
    pub figures: Vec<Figure>,
    /// Sentences with a word of RFC 2119 that belong to no claim: line and text.
    pub unclaimed: Vec<(usize, String)>,
    /// Ids that the section Open Questions mentions.
    pub questioned: Vec<Id>,
}

/// The section that lists what is not settled.
pub const OPEN_QUESTIONS: &str = "Open Questions";

/// Words that make a sentence normative (RFC 2119).
const NORMATIVE: [&str; 4] = ["MUST", "SHALL", "REQUIRED", "SHOULD"];

impl Document {
    /// Reads an RFC. Every text is a document; what is wrong with it is for [`super::check`] to say.
    pub fn parse(text: &str) -> Self {
        let mut reader = Reader {
            text,
            document: Self::default(),
            heading: None,
            items: Vec::new(),
            link: None,
            prose: None,
            figure: None,
            block: None,
        };
        for (event, span) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
            reader.event(event, span);
        }
        reader.document
    }
}

/// A list item that is being read.
#[derive(Default)]
struct Item {
    line: usize,
    /// The first bold text, while nothing stands before it.
    id: Option<Id>,
    in_bold: bool,
    text: String,
    proofs: Vec<Proof>,
}

struct Reader<'t> {
    text: &'t str,
    document: Document,
    /// The level and text of a heading that is being read.
    heading: Option<(HeadingLevel, String)>,
    /// List items, the innermost last.
    items: Vec<Item>,
    /// Target and text of a link that is being read.
    link: Option<(String, String)>,
    /// A paragraph outside of lists: its line and text.
    prose: Option<(usize, String)>,
    /// The anchor of the figure heading above.
    figure: Option<String>,
    /// A code block that is being read: where its content begins, and the content.
    block: Option<(usize, String)>,
}

impl Reader<'_> {
    fn line(&self, at: usize) -> usize {
        1 + self.text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count()
    }

    fn section(&self) -> String {
        self.document.sections.last().map(|section| section.name.clone()).unwrap_or_default()
    }

    fn event(&mut self, event: Event<'_>, span: Range<usize>) {
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                self.heading = Some((level, String::new()));
                return;
            }
            Event::End(TagEnd::Heading(_)) => return self.end_heading(span),
            _ => {}
        }
        if self.heading.is_none()
            && let Some(section) = self.document.sections.last_mut()
        {
            section.empty = false;
        }
        match event {
            Event::Start(Tag::Item) => self.items.push(Item { line: self.line(span.start), ..Item::default() }),
            Event::End(TagEnd::Item) => self.end_item(),
            Event::Start(Tag::Strong) => {
                if let Some(item) = self.items.last_mut() {
                    item.in_bold = item.text.trim().is_empty() && item.id.is_none();
                }
            }
            Event::End(TagEnd::Strong) => {
                if let Some(item) = self.items.last_mut() {
                    item.in_bold = false;
                }
            }
            Event::Start(Tag::Link { dest_url, .. }) => self.link = Some((dest_url.into_string(), String::new())),
            Event::End(TagEnd::Link) => self.end_link(),
            Event::Start(Tag::Paragraph) if self.items.is_empty() => {
                self.prose = Some((self.line(span.start), String::new()));
            }
            Event::End(TagEnd::Paragraph) if self.items.is_empty() => self.end_paragraph(),
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(_))) => self.block = Some((usize::MAX, String::new())),
            Event::End(TagEnd::CodeBlock) => self.end_block(),
            Event::Text(text) if self.block.is_some() => {
                if let Some((start, content)) = &mut self.block {
                    *start = span.start.min(*start);
                    content.push_str(&text);
                }
            }
            Event::Text(text) | Event::Code(text) => self.words(&text),
            Event::SoftBreak | Event::HardBreak => self.words(" "),
            _ => {}
        }
    }

    fn words(&mut self, text: &str) {
        if let Some((_, words)) = &mut self.link {
            words.push_str(text);
        }
        if let Some((_, words)) = &mut self.heading {
            words.push_str(text);
        } else if let Some(item) = self.items.last_mut() {
            match item.in_bold.then(|| Id::parse(text)).flatten() {
                Some(id) => item.id = Some(id),
                None => item.text.push_str(text),
            }
        } else if let Some((_, words)) = &mut self.prose {
            words.push_str(text);
        }
    }

    fn end_heading(&mut self, span: Range<usize>) {
        let Some((level, name)) = self.heading.take() else { return };
        self.figure = name.strip_prefix("Figure: ").map(|_| anchor(&name));
        match level {
            HeadingLevel::H1 => self.document.title = name,
            HeadingLevel::H2 => {
                let line = self.line(span.start);
                self.document.sections.push(Section { name, line, empty: true });
            }
            _ => {}
        }
    }

    fn end_link(&mut self) {
        let Some((target, text)) = self.link.take() else { return };
        if let Some(item) = self.items.last_mut()
            && item.text.contains(PROOF)
        {
            item.proofs.push(Proof::of_link(&target, &text));
        }
    }

    fn end_item(&mut self) {
        let Some(item) = self.items.pop() else { return };
        let section = self.section();
        if section == OPEN_QUESTIONS {
            self.document.questioned.extend(mentioned(&item.text));
        }
        let text = item.text.split(PROOF).next().unwrap_or_default().trim().to_owned();
        match item.id {
            Some(id) => {
                let Item { line, proofs, .. } = item;
                self.document.claims.push(Claim { id, line, section, text, proofs });
            }
            None if is_normative(&text) => self.document.unclaimed.push((item.line, text)),
            None => {}
        }
    }

    fn end_paragraph(&mut self) {
        let Some((line, text)) = self.prose.take() else { return };
        if self.section() == OPEN_QUESTIONS {
            self.document.questioned.extend(mentioned(&text));
        }
        if is_normative(&text) {
            self.document.unclaimed.push((line, text));
        }
    }

    fn end_block(&mut self) {
        let Some((start, content)) = self.block.take() else { return };
        let Some(anchor) = self.figure.take() else { return };
        let Some((command, output)) = content.split_once('\n') else { return };
        let Some(arguments) = command.strip_prefix("$ dzsim ") else { return };
        let from = start + command.len() + 1;
        self.document.figures.push(Figure {
            anchor,
            line: self.line(start),
            arguments: arguments.split_whitespace().map(str::to_owned).collect(),
            output: output.to_owned(),
            span: from..from + output.len(),
        });
    }
}

/// What begins the proofs of a claim.
const PROOF: &str = "Proof:";

fn is_normative(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphabetic()).any(|word| NORMATIVE.contains(&word))
}

fn mentioned(text: &str) -> impl Iterator<Item = Id> {
    text.split(|c: char| !c.is_ascii_alphanumeric()).filter_map(Id::parse).filter(|id| !id.question)
}

/// The anchor that GitHub gives a heading: lower case, spaces as hyphens, other punctuation dropped.
pub fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# Two tunnels

## Summary

A client has two tunnels.

## Detailed Design

- **C1** A pair MUST be used once. Proof: [termination/pair](../scenarios/termination/pair.yaml),
  [`one_pair`](../client/tests/suite/select.rs), [the figure](#figure-tunnels-by-endpoints), [a page](https://example.org/).
- **C2** It is fast.
- A plain item that MUST be a claim.

A paragraph that SHALL be one.

### Figure: tunnels by endpoints

```text
$ dzsim sweep rfcs/metro.yaml --format md
| endpoints | tunnels |
```

## Open Questions

- **Q1** How fast? Settled by a bench (C2).
";

    #[test]
    fn claims_have_their_proofs() {
        let document = Document::parse(TEXT);
        assert_eq!(document.title, "Two tunnels");
        let names: Vec<_> = document.sections.iter().map(|section| (section.name.as_str(), section.line)).collect();
        assert_eq!(names, [("Summary", 3), ("Detailed Design", 7), ("Open Questions", 23)]);
        let c1 = Claim {
            id: Id { question: false, number: 1 },
            line: 9,
            section: "Detailed Design".to_owned(),
            text: "A pair MUST be used once.".to_owned(),
            proofs: vec![
                Proof::Scenario { file: "../scenarios/termination/pair.yaml".into() },
                Proof::Test { file: "../client/tests/suite/select.rs".into(), name: "one_pair".to_owned() },
                Proof::Figure { anchor: "figure-tunnels-by-endpoints".to_owned() },
                Proof::Unknown { target: "https://example.org/".to_owned() },
            ],
        };
        assert_eq!(document.claims[0], c1);
        assert_eq!(document.claims[1].proofs, []);
        let ids: Vec<_> = document.claims.iter().map(|claim| claim.id.to_string()).collect();
        assert_eq!(ids, ["C1", "C2", "Q1"]);
        assert_eq!(document.questioned, [Id { question: false, number: 2 }]);
    }

    #[test]
    fn normative_sentences_outside_of_claims_are_found() {
        let document = Document::parse(TEXT);
        let found: Vec<_> = document.unclaimed.iter().map(|(line, text)| (*line, text.as_str())).collect();
        assert_eq!(found, [(12, "A plain item that MUST be a claim."), (14, "A paragraph that SHALL be one.")]);
    }

    #[test]
    fn a_figure_is_a_command_and_what_it_printed() {
        let document = Document::parse(TEXT);
        let [figure] = document.figures.as_slice() else { panic!("one figure, got {:?}", document.figures) };
        assert_eq!(figure.anchor, "figure-tunnels-by-endpoints");
        assert_eq!(figure.arguments, ["sweep", "rfcs/metro.yaml", "--format", "md"]);
        assert_eq!(figure.output, "| endpoints | tunnels |\n");
        assert_eq!(&TEXT[figure.span.clone()], figure.output);
        assert_eq!(figure.line, 19);
    }

    #[test]
    fn a_section_without_a_text_is_empty() {
        let document = Document::parse("# T\n\n## Summary\n\n## Impact\n\nSome.\n");
        let empty: Vec<_> = document.sections.iter().map(|section| section.empty).collect();
        assert_eq!(empty, [true, false]);
    }

    #[test]
    fn an_id_is_a_letter_and_a_number() {
        assert_eq!(Id::parse("C12"), Some(Id { question: false, number: 12 }));
        assert_eq!(Id::parse("Q3"), Some(Id { question: true, number: 3 }));
        for text in ["", "C", "D1", "C+1", "C1a", "CC1"] {
            assert_eq!(Id::parse(text), None, "{text}");
        }
    }
}
