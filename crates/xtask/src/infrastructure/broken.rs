//! A configuration that is wrong in every way that counts: a provider that let one of them pass would prove nothing.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use crate::{failure::Failure, say};

use super::terraform::Terraform;

/// What a wrong line ends with, followed by Terraform's summary of the error.
const MARK: &str = "# refused: ";

/// Every marked line is refused with its words, and no other; how many there are.
pub(super) fn refused(terraform: &Terraform<'_>, folder: &Path) -> Result<usize, Failure> {
    let path = folder.join("main.tf");
    let text = fs::read_to_string(&path).map_err(|cause| Failure::Read { path, cause })?;
    terraform.init(folder)?;
    let found = findings(&terraform.diagnostics(folder)?);
    let expected = marks(&text);
    if found != expected {
        return Err(Failure::Check(format!(
            "offline/broken/main.tf: not noticed: {:?}; noticed and not marked: {:?}",
            expected.difference(&found).collect::<Vec<_>>(),
            found.difference(&expected).collect::<Vec<_>>()
        )));
    }
    say::line(format!("  wrong on purpose: {} mistakes, all refused", expected.len()));
    Ok(expected.len())
}

fn marks(text: &str) -> BTreeSet<(u64, String)> {
    let mark = |(line, text): (u64, &str)| Some((line, text.split_once(MARK)?.1.to_owned()));
    (1..).zip(text.lines()).filter_map(mark).collect()
}

fn findings(diagnostics: &Value) -> BTreeSet<(u64, String)> {
    let finding = |found: &Value| {
        let line = found["range"]["start"]["line"].as_u64().unwrap_or_default();
        (line, found["summary"].as_str().unwrap_or_default().to_owned())
    };
    diagnostics["diagnostics"]
        .as_array()
        .into_iter()
        .flatten()
        .map(finding)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mark_is_its_line_and_its_words() {
        let marked = marks("a\nb # refused: Unsupported argument\n");
        assert_eq!(marked, BTreeSet::from([(2, "Unsupported argument".to_owned())]));
    }

    #[test]
    fn a_finding_is_where_it_stands_and_what_it_says() {
        let said = json!({"diagnostics": [{"summary": "Unsupported argument", "range": {"start": {"line": 2}}}]});
        assert_eq!(findings(&said), marks("a\nb # refused: Unsupported argument\n"));
    }
}
