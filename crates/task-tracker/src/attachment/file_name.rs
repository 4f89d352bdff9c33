//! Names of files: as clients write them, as they are kept, and as a header carries them.

use std::fmt::Write;

use crate::attachment::presign::escaped;

/// Characters.
const LONGEST: usize = 200;

/// What is left of a name once it cannot be a path, hide its ending, or be refused by a file system: the part behind the
/// last slash or backslash, without control characters, marks that change the direction of text, and the characters that
/// Windows reserves. Never empty.
pub(super) fn tidied(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept: String = last
        .chars()
        .filter(|c| !c.is_control() && !turns_text(*c))
        .map(|c| if r#"<>:"|?*"#.contains(c) { '_' } else { c })
        .collect();
    // Hidden files and `..` begin with a dot; Windows cuts dots and blanks off the end.
    let kept = kept.trim_matches(|c: char| c == '.' || c.is_whitespace());
    let name = shortened(kept);
    if name.is_empty() { "file".to_owned() } else { name }
}

/// Unicode, "UAX #9": embeddings, overrides, isolates and marks; and the invisible ones that hide in between.
fn turns_text(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{61c}' | '\u{feff}')
}

/// Keeps the ending, by which programs know a file.
fn shortened(name: &str) -> String {
    let length = name.chars().count();
    if length <= LONGEST {
        return name.to_owned();
    }
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let ending = if (1..=10).contains(&ending.chars().count()) {
        format!(".{ending}")
    } else {
        String::new()
    };
    let start = LONGEST - ending.chars().count();
    name.chars().take(start).chain(ending.chars()).collect()
}

/// `Content-Disposition` (RFC 6266, appendix D): the name in ASCII for old clients, and in UTF-8.
pub(super) fn disposition(name: &str) -> String {
    let mut header = String::from("attachment; filename=\"");
    for c in name.chars() {
        let plain = c.is_ascii_graphic() || c == ' ';
        header.push(if plain && !matches!(c, '"' | '\\' | '%') {
            c
        } else {
            '_'
        });
    }
    let _ = write!(header, "\"; filename*=UTF-8''{}", escaped(name));
    header
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_the_last_part_without_what_harms() {
        for (name, expected) in [
            ("report.pdf", "report.pdf"),
            ("Müller 2026.pdf", "Müller 2026.pdf"),
            ("../../etc/passwd", "passwd"),
            (r"C:\Users\ann\a.txt", "a.txt"),
            ("..", "file"),
            ("...hidden", "hidden"),
            ("a\0b\r\nc.txt", "abc.txt"),
            ("invoice\u{202e}fdp.exe", "invoicefdp.exe"),
            ("a<b>:\"|?*.txt", "a_b______.txt"),
            ("name. . ", "name"),
            ("/", "file"),
            ("", "file"),
        ] {
            assert_eq!(tidied(name), expected, "{name:?}");
        }
        let long = tidied(&format!("{}.tar", "x".repeat(300)));
        assert!(long.ends_with("x.tar") && long.chars().count() == 200);
    }

    #[test]
    fn a_header_carries_any_name() {
        assert_eq!(
            disposition("grün \"1\".txt"),
            "attachment; filename=\"gr_n _1_.txt\"; filename*=UTF-8''gr%C3%BCn%20%221%22.txt"
        );
    }

    proptest! {
        #[test]
        fn whatever_was_sent_is_a_harmless_name(name in any::<String>()) {
            let kept = tidied(&name);
            prop_assert!((1..=200).contains(&kept.chars().count()));
            prop_assert!(!kept.contains(['/', '\\', '\0', '\n', '\r', '"']) && !kept.starts_with('.'));
            prop_assert_eq!(tidied(&kept), kept.clone(), "tidying again changes nothing");
            let header = disposition(&kept);
            prop_assert!(header.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{}", header);
            prop_assert_eq!(header.matches('"').count(), 2);
        }
    }
}
