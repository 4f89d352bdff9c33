//! Layers that behave and layers that do not.

use std::io::Write as _;

use tar::EntryType;

use super::*;

/// Something in a tar archive, its name written as it is.
enum Item {
    File(&'static str, &'static str, u32),
    Folder(&'static str),
    Symlink(&'static str, &'static str),
    HardLink(&'static str, &'static str),
}

fn layer(items: &[Item]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for item in items {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o755);
        let (name, kind, link, content) = match *item {
            Item::File(name, content, mode) => {
                header.set_mode(mode);
                (name, EntryType::Regular, "", content)
            }
            Item::Folder(name) => (name, EntryType::Directory, "", ""),
            Item::Symlink(name, to) => (name, EntryType::Symlink, to, ""),
            Item::HardLink(name, to) => (name, EntryType::Link, to, ""),
        };
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        // Past the checks of the archive's writer: hostile archives do not use it.
        let gnu = header.as_gnu_mut().unwrap();
        gnu.name[..name.len()].copy_from_slice(name.as_bytes());
        gnu.linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        archive.append(&header, content.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap()
}

/// A root beside a file that no layer may touch.
struct Root {
    folder: tempfile::TempDir,
}

impl Root {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("rootfs")).unwrap();
        fs::write(folder.path().join("outside"), "untouched").unwrap();
        Self { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("rootfs")
    }

    fn apply(&self, items: &[Item]) -> Result<(), LayerError> {
        let applied = apply(layer(items).as_slice(), &self.path());
        assert_eq!(
            fs::read_to_string(self.folder.path().join("outside")).unwrap(),
            "untouched"
        );
        assert_eq!(
            fs::read_dir(self.folder.path()).unwrap().count(),
            2,
            "something was written outside"
        );
        applied
    }

    fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.path().join(path)).ok()
    }

    fn mode(&self, path: &str) -> u32 {
        fs::metadata(self.path().join(path)).unwrap().permissions().mode() & 0o7777
    }
}

#[test]
fn files_folders_and_links_arrive_with_their_permissions() {
    let root = Root::new();
    root.apply(&[
        Item::Folder("app/"),
        Item::File("app/serve", "program", 0o755),
        Item::File("/etc/secret", "text", 0o600),
        Item::File("app/setuid", "program", 0o4755),
        Item::Symlink("run", "app/serve"),
        Item::HardLink("app/copy", "app/serve"),
    ])
    .unwrap();
    assert_eq!(root.read("run").unwrap(), "program");
    assert_eq!(root.read("app/copy").unwrap(), "program");
    assert_eq!(root.mode("app/serve"), 0o755);
    assert_eq!(root.mode("etc/secret"), 0o644, "the one user can read it");
    assert_eq!(root.mode("app/setuid"), 0o755, "no set-id bits");
}

#[test]
fn a_gzipped_layer_is_the_same_and_zstd_is_refused_by_name() {
    let root = Root::new();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&layer(&[Item::File("a", "b", 0o644)])).unwrap();
    apply(gzip.finish().unwrap().as_slice(), &root.path()).unwrap();
    assert_eq!(root.read("a").unwrap(), "b");
    let zstd = apply(&[0x28, 0xb5, 0x2f, 0xfd, 0][..], &root.path()).unwrap_err();
    assert!(zstd.to_string().contains("zstd"));
}

#[test]
fn whiteouts_remove_what_lower_layers_brought() {
    let root = Root::new();
    root.apply(&[
        Item::File("a/one", "1", 0o644),
        Item::File("a/two", "2", 0o644),
        Item::File("b/old/x", "x", 0o644),
    ])
    .unwrap();
    root.apply(&[
        Item::File("a/.wh.one", "", 0o644),
        Item::File("b/new/y", "y", 0o644),
        Item::File("b/.wh..wh..opq", "", 0o644),
        Item::File("b/.wh.never-there", "", 0o644),
    ])
    .unwrap();
    assert_eq!(
        (root.read("a/one"), root.read("a/two")),
        (None, Some(String::from("2")))
    );
    assert_eq!(
        (root.read("b/old/x"), root.read("b/new/y")),
        (None, Some(String::from("y")))
    );
}

#[test]
fn a_file_replaces_a_folder_and_the_other_way_round() {
    let root = Root::new();
    root.apply(&[Item::File("a/x", "1", 0o644), Item::File("b", "2", 0o644)])
        .unwrap();
    root.apply(&[
        Item::File("a", "file", 0o644),
        Item::Folder("b/"),
        Item::File("b/x", "3", 0o644),
    ])
    .unwrap();
    assert_eq!(root.read("a").unwrap(), "file");
    assert_eq!(root.read("b/x").unwrap(), "3");
}

#[test]
fn nothing_leads_out_of_the_image() {
    for hostile in [
        vec![Item::File("../outside", "broken", 0o644)],
        vec![Item::File("a/../../outside", "broken", 0o644)],
        vec![Item::HardLink("a", "../outside")],
        vec![Item::Folder("../elsewhere")],
        vec![Item::File("../.wh.outside", "", 0o644)],
    ] {
        assert!(matches!(Root::new().apply(&hostile), Err(LayerError::Escape(_))));
    }
}

#[test]
fn links_are_followed_inside_the_image_only() {
    let root = Root::new();
    root.apply(&[
        Item::Symlink("up", "../"),
        Item::File("up/outside", "inside", 0o644),
        Item::Symlink("absolute", "/"),
        Item::File("absolute/etc/x", "inside too", 0o644),
        Item::Symlink("direct", "../outside"),
        Item::File("direct", "replaces the link", 0o644),
        Item::Symlink("again", "../outside"),
        Item::File(".wh.again", "", 0o644),
    ])
    .unwrap();
    assert_eq!(root.read("outside").unwrap(), "inside");
    assert_eq!(root.read("etc/x").unwrap(), "inside too");
    assert_eq!(root.read("direct").unwrap(), "replaces the link");
    // A hard link to a link that leads out would be a way out too.
    let linked = root.apply(&[Item::Symlink("out", "../outside"), Item::HardLink("hard", "out")]);
    assert!(linked.is_err() || root.read("hard").as_deref() != Some("untouched"));
}
