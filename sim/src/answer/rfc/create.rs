//! `dzsim rfc new`: the next number, a file from the template.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::document::anchor;

/// The template, and the folder's own documentation of the syntax.
pub const TEMPLATE: &str = include_str!("../../../../rfcs/0000-template.md");

/// Writes a new RFC into `folder` and returns its file: the number after the highest there is, and the title in its name.
///
/// # Errors
/// If the folder cannot be read or the file not be written; one that exists is never overwritten.
pub fn create(folder: &Path, title: &str) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let mut highest = 0;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name.to_string_lossy().split('-').next().and_then(|number| number.parse::<u32>().ok());
        highest = highest.max(number.unwrap_or_default());
    }
    let file = folder.join(format!("{:04}-{}.md", highest + 1, anchor(title)));
    let text = TEMPLATE.replacen("# Title", &format!("# {title}"), 1);
    io::Write::write_all(&mut fs::File::create_new(&file)?, text.as_bytes())?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::rfc::{check::problems, document::Document};

    #[test]
    fn a_new_one_has_the_next_number_and_the_sections() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("0007-other.md"), "").unwrap();
        let file = create(folder.path(), "Keys in GRE?").unwrap();
        assert_eq!(file, folder.path().join("0008-keys-in-gre.md"));
        let document = Document::parse(&fs::read_to_string(&file).unwrap());
        assert_eq!(document.title, "Keys in GRE?");
        // What is still to be written is what the check finds.
        assert_eq!(problems(&document, folder.path()), []);
    }
}
