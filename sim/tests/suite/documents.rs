//! The scenarios in README and docs are read from there and hold: each code block with a `network:` is valid, and one
//! without a `matrix:` passes; those with one are many cases, of which the sweeps of an RFC are run elsewhere.

use std::{fs, path::Path, process::Command};

use pulldown_cmark::{Event, Parser, Tag, TagEnd};

/// The scenarios in a document.
fn scenarios(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut block: Option<String> = None;
    for event in Parser::new(text) {
        match event {
            Event::Start(Tag::CodeBlock(_)) => block = Some(String::new()),
            Event::Text(text) => {
                if let Some(block) = &mut block {
                    block.push_str(&text);
                }
            }
            Event::End(TagEnd::CodeBlock) => found.extend(block.take().filter(|text| text.contains("network:\n"))),
            _ => {}
        }
    }
    found
}

#[test]
fn every_scenario_of_the_documents_holds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = tempfile::tempdir().unwrap();
    let mut run = 0;
    for document in ["README.md", "docs/tutorial.md", "docs/rfc-guide.md"] {
        let text = fs::read_to_string(root.join(document)).unwrap();
        for (index, scenario) in scenarios(&text).into_iter().enumerate() {
            let file = folder.path().join(format!("example-{index}.yaml"));
            fs::write(&file, &scenario).unwrap();
            let mut command = Command::new(env!("CARGO_BIN_EXE_dzsim"));
            match scenario.contains("matrix:") {
                true => command.arg("check"),
                false => command
                    .args(["run", "--world", "virtual", "--record-snapshots", "--artifacts"])
                    .arg(folder.path().join("left")),
            };
            let output = command.arg(&file).output().unwrap();
            let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
            assert!(output.status.success(), "{document}:\n{scenario}\n{said}");
            run += 1;
        }
    }
    assert!(run >= 2, "the tutorial and the guide have scenarios; found {run}");
}

/// The picture of the tutorial is what its first scenario gives. `UPDATE_DOCS=1` writes it.
#[test]
fn the_tutorials_picture_is_its_scenario() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let scenario = scenarios(&fs::read_to_string(root.join("docs/tutorial.md")).unwrap()).remove(0);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("two-services.yaml");
    fs::write(&file, scenario).unwrap();
    let output =
        Command::new(env!("CARGO_BIN_EXE_dzsim")).args(["graph", "--format", "svg"]).arg(&file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let picture = root.join("docs/two-services.svg");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&picture, &output.stdout).unwrap();
    }
    let there = fs::read_to_string(&picture).unwrap_or_default();
    assert_eq!(there, String::from_utf8(output.stdout).unwrap(), "UPDATE_DOCS=1 writes {}", picture.display());
}
