//! Texts in the cells of a table that people open with a spreadsheet.
//!
//! A cell that begins like a formula is calculated by such a program, whoever wrote it, so it goes out behind an apostrophe
//! (OWASP, "CSV Injection"), which coming in takes away again. Lists are one cell, with semicolons between.

/// What a spreadsheet may take for the beginning of a formula, or for what hides one; the apostrophe too, so that one of ours
/// can be told from one that was there.
const SUSPICIOUS: [char; 12] = ['=', '+', '-', '@', '\t', '\r', '\n', '\'', '＝', '＋', '－', '＠'];

/// As it may be shown.
pub(super) fn defused(text: &str) -> String {
    if text.starts_with(SUSPICIOUS) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

/// As it was before `defused`; other texts stay what they are.
pub(super) fn restored(cell: &str) -> &str {
    cell.strip_prefix('\'')
        .filter(|text| text.starts_with(SUSPICIOUS))
        .unwrap_or(cell)
}

/// All of them in one text.
pub(super) fn joined<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    let escaped = texts
        .into_iter()
        .map(|text| text.replace('\\', "\\\\").replace(';', "\\;"));
    escaped.collect::<Vec<_>>().join(";")
}

/// The texts in one; empty ones are none.
pub(super) fn split(joined: &str) -> Vec<String> {
    let (mut texts, mut text) = (Vec::new(), String::new());
    let mut rest = joined.chars();
    while let Some(next) = rest.next() {
        match next {
            ';' => texts.push(std::mem::take(&mut text)),
            '\\' => text.push(rest.next().unwrap_or('\\')),
            other => text.push(other),
        }
    }
    texts.push(text);
    texts.retain(|text| !text.is_empty());
    texts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_begins_like_a_formula_is_shown_as_text() {
        for (text, cell) in [
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("-1", "'-1"),
            ("'=1", "''=1"),
            ("'tis", "''tis"),
            ("＝1", "'＝1"),
            ("a=1", "a=1"),
            ("", ""),
        ] {
            assert_eq!(defused(text), cell);
        }
        // As somebody else wrote it.
        assert_eq!(restored("'tis"), "'tis");
    }

    proptest! {
        #[test]
        fn a_cell_comes_back_as_it_was(text in "\\PC{0,8}|['=+@\t\r\n-]{0,4}[a-z]{0,2}") {
            let cell = defused(&text);
            prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']));
            prop_assert_eq!(restored(&cell), text);
        }

        #[test]
        fn a_list_comes_back_as_it_was(texts in prop::collection::vec("[a;\\\\ ]{1,4}", 0..5)) {
            prop_assert_eq!(split(&joined(texts.iter().map(String::as_str))), texts);
        }
    }
}
