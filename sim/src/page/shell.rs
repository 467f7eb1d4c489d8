//! The frame of every page.

use maud::{DOCTYPE, Markup, PreEscaped, html};

/// Lets the page load nothing, whatever its texts contain.
const NOTHING_ELSE: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/// A whole page.
pub(super) fn page(title: &str, body: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(NOTHING_ELSE);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content=(concat!("dzsim ", env!("CARGO_PKG_VERSION")));
                link rel="icon" href="data:,";
                title { (title) }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body { main { (body) } }
        }
    }
    .into_string()
}

/// A picture with the same as a table below it.
pub(super) fn picture(title: &str, picture: &Markup, table: &Markup) -> Markup {
    html! {
        section.picture {
            h3 { (title) }
            (picture)
            details { summary { "As a table" } div.scroll { (table) } }
        }
    }
}

/// A table of texts.
pub(super) fn table(titles: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Markup {
    html! {
        table {
            thead { tr { @for title in titles { th scope="col" { (title) } } } }
            tbody { @for row in rows { tr { @for cell in row { td { (cell) } } } } }
        }
    }
}
