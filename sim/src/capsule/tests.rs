use std::{fs, io::Write, path::Path};

use tar::{Builder, EntryType, Header};

use super::{unpack::unpack_within, *};

fn manifest() -> Manifest {
    Manifest {
        form: FORM,
        version: "0.1.0".to_owned(),
        file: "/home/somebody/scenarios/topic/case.yaml".into(),
        case: "topic/case[x=1]".to_owned(),
        seed: 7,
        world: "virtual".to_owned(),
        dataplane: "auto".to_owned(),
        changes: vec!["policy.endpoints_per_device=3".to_owned()],
        without: None,
        step: Some(2),
        message: "exit code 5".to_owned(),
    }
}

/// An archive with these entries: type, path and content.
fn archive(path: &Path, entries: &[(EntryType, &str, &[u8])]) {
    let mut archive = Builder::new(zstd::Encoder::new(fs::File::create(path).unwrap(), 1).unwrap());
    for (kind, name, content) in entries {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_size(content.len() as u64);
        // As it is: the library itself would refuse to write some of them.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        if kind.is_symlink() {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_cksum();
        archive.append(&header, *content).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap();
}

fn refusal(entries: &[(EntryType, &str, &[u8])]) -> String {
    let root = tempfile::tempdir().unwrap();
    let (capsule, folder) = (root.path().join("x.tar.zst"), root.path().join("inner/folder"));
    archive(&capsule, entries);
    fs::create_dir_all(&folder).unwrap();
    let refused = unpack(&capsule, &folder).unwrap_err().to_string();
    let outside: Vec<_> = fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(outside.len(), 2, "something was written outside: {outside:?}");
    assert_eq!(fs::read_dir(root.path().join("inner")).unwrap().count(), 1);
    refused
}

#[test]
fn what_is_packed_is_unpacked() {
    let root = tempfile::tempdir().unwrap();
    let (artifacts, snapshots, folder) = (root.path().join("a"), root.path().join("s"), root.path().join("out"));
    let write = |path: std::path::PathBuf, text: &str| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(artifacts.join("events.jsonl"), "{}\n");
    let long = format!("snapshots/{}.snap", "x".repeat(200));
    write(artifacts.join(&long), "long");
    write(artifacts.join("logs/val1.doublezerod.log"), "up\n");
    write(snapshots.join("topic/case[x=1]@end.chain.snap"), "own");
    write(snapshots.join("topic/other@end.chain.snap"), "another case's");
    let capsule = write_twice(&artifacts, &snapshots);
    fs::create_dir(&folder).unwrap();
    let found = unpack(&capsule, &folder).unwrap();
    assert_eq!(found, manifest());
    let read = |path: std::path::PathBuf| fs::read_to_string(path).unwrap();
    assert_eq!(read(found.scenario(&folder)), "steps: []\n");
    assert_eq!(found.scenario(&folder), folder.join("scenario/topic/case.yaml"));
    assert_eq!(read(run(&folder).join("logs/val1.doublezerod.log")), "up\n");
    assert_eq!(read(run(&folder).join(&long)), "long");
    assert_eq!(read(super::snapshots(&folder).join("topic/case[x=1]@end.chain.snap")), "own");
    assert!(!super::snapshots(&folder).join("topic/other@end.chain.snap").exists());
}

/// Packs, twice, and checks that both are the same bytes and that neither holds the other.
fn write_twice(artifacts: &Path, snapshots: &Path) -> std::path::PathBuf {
    let pack = || write(artifacts, &manifest(), "steps: []\n", Some(snapshots)).unwrap();
    let first = fs::read(pack()).unwrap();
    let path = pack();
    assert_eq!(fs::read(&path).unwrap(), first);
    path
}

#[test]
fn no_path_leads_out() {
    const FILE: EntryType = EntryType::Regular;
    for path in ["../outside", "run/../../outside", "/tmp/outside-of-a-capsule", ".."] {
        assert_eq!(refusal(&[(FILE, path, b"x")]), format!("the path `{path}` in the capsule leads out of it"));
    }
    assert!(!Path::new("/tmp/outside-of-a-capsule").exists());
}

#[test]
fn links_and_devices_are_refused() {
    for kind in [EntryType::Symlink, EntryType::Link, EntryType::Fifo, EntryType::Char, EntryType::Directory] {
        assert_eq!(refusal(&[(kind, "run/x", b"")]), "`run/x` in the capsule is no plain file");
    }
}

#[test]
fn a_path_twice_is_refused() {
    let entry = (EntryType::Regular, "run/x", &b"x"[..]);
    assert_eq!(refusal(&[entry, entry]), "`run/x` is in the capsule twice");
}

#[test]
fn what_is_too_large_is_refused_before_it_is_written() {
    let root = tempfile::tempdir().unwrap();
    let (capsule, folder) = (root.path().join("x.tar.zst"), root.path().join("out"));
    fs::create_dir(&folder).unwrap();
    // Zeros compress to almost nothing.
    archive(&capsule, &[(EntryType::Regular, "run/x", &[0; 1 << 20])]);
    let refused = unpack_within(&capsule, &folder, 1 << 16).unwrap_err().to_string();
    assert!(refused.starts_with("the capsule is too large"), "{refused}");
    assert!(!folder.join("run/x").exists());
    // A size that the header lies about does not help.
    archive(&capsule, &[(EntryType::Regular, "run/x", &[0; 4096]), (EntryType::Regular, "run/y", &[0; 4096])]);
    let refused = unpack_within(&capsule, &folder, 8000).unwrap_err();
    assert!(matches!(refused, UnpackError::Size(_)), "{refused}");
}

#[test]
fn what_is_no_capsule_says_so() {
    let root = tempfile::tempdir().unwrap();
    let capsule = root.path().join("x.tar.zst");
    fs::File::create(&capsule).unwrap().write_all(b"not an archive at all, but a text").unwrap();
    let refused = unpack(&capsule, root.path()).unwrap_err().to_string();
    assert!(refused.starts_with("expected a capsule (tar, compressed by zstd): "), "{refused}");
    assert!(refusal(&[]).starts_with("capsule.json in the capsule: "), "there is no manifest");
    let later = br#"{"form": 2, "more": true}"#;
    assert_eq!(
        refusal(&[(EntryType::Regular, "capsule.json", later)]),
        "capsule.json in the capsule: expected form 1, got 2"
    );
}
