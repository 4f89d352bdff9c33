//! `${NAME}` and `${NAME:-DEFAULT}` in a text, filled in from variables.
//!
//! It works on one value at a time, after the YAML was read: whatever a variable holds stays inside that value and can
//! never become a key, a list or a second document. `$${` stands for a literal `${`.

use std::borrow::Cow;

/// What is wrong with one reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The variable is not set and the reference has no default.
    Missing(String),
    /// It is no reference at all: not closed, or not a variable's name.
    Malformed,
}

/// The text with its references filled in, or every fault in it. A text without a reference is lent back unchanged.
///
/// As in a shell, `:-` also replaces a variable that is set but empty.
pub(crate) fn interpolate<'t>(
    text: &'t str,
    vars: &dyn Fn(&str) -> Option<String>,
) -> Result<Cow<'t, str>, Vec<Fault>> {
    let mut filled = String::new();
    let mut faults = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, reference) = rest.split_at(start);
        if let Some(literal) = before.strip_suffix('$') {
            filled.push_str(literal);
            filled.push_str("${");
            rest = &reference[2..];
            continue;
        }
        filled.push_str(before);
        let Some(end) = reference.find('}') else {
            faults.push(Fault::Malformed);
            return Err(faults);
        };
        match value(&reference[2..end], vars) {
            Ok(value) => filled.push_str(&value),
            Err(fault) => faults.push(fault),
        }
        rest = &reference[end + 1..];
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    if rest.len() == text.len() {
        return Ok(Cow::Borrowed(text));
    }
    filled.push_str(rest);
    Ok(Cow::Owned(filled))
}

/// The value of what stands between the braces.
fn value(reference: &str, vars: &dyn Fn(&str) -> Option<String>) -> Result<String, Fault> {
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    if !is_variable(name) {
        return Err(Fault::Malformed);
    }
    match (vars(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(Fault::Missing(name.to_owned())),
    }
}

/// Whether the text can be the name of an environment variable.
pub(crate) fn is_variable(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit())
        && !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: &Expect) {
        let vars = |name: &str| match name {
            "HOST" => Some("example.org".to_owned()),
            "EMPTY" => Some(String::new()),
            "SNEAKY" => Some("${HOST}".to_owned()),
            _ => None,
        };
        expected.assert_eq(&format!("{:?}", interpolate(text, &vars)));
    }

    #[test]
    fn references() {
        check("https://${HOST}/a", &expect![[r#"Ok("https://example.org/a")"#]]);
        check("${HOST}${HOST}", &expect![[r#"Ok("example.orgexample.org")"#]]);
        check(
            "${NOBODY:-http://127.0.0.1:4566}",
            &expect![[r#"Ok("http://127.0.0.1:4566")"#]],
        );
        check("${HOST:-other}", &expect![[r#"Ok("example.org")"#]]);
        check("[${EMPTY}]", &expect![[r#"Ok("[]")"#]]);
        check("[${EMPTY:-full}]", &expect![[r#"Ok("[full]")"#]]);
        check("${SNEAKY}", &expect![[r#"Ok("${HOST}")"#]]);
        check("$${HOST} costs $5", &expect![[r#"Ok("${HOST} costs $5")"#]]);
        check("${ONE} ${TWO}", &expect![[r#"Err([Missing("ONE"), Missing("TWO")])"#]]);
        check("${HOST", &expect!["Err([Malformed])"]);
        check("${}", &expect!["Err([Malformed])"]);
        check("${A B}", &expect!["Err([Malformed])"]);
    }

    proptest! {
        #[test]
        fn a_text_without_a_reference_is_never_changed(text in "[^{]*") {
            let outcome = interpolate(&text, &|_| Some("changed".to_owned()));
            prop_assert_eq!(outcome, Ok(Cow::Borrowed(text.as_str())));
        }

        #[test]
        fn an_escaped_text_reads_as_it_was_meant(text in "[a$]*[a{}]*[a${}]*") {
            // A lone `$` before `${` would be taken for the escape itself, so such texts cannot be escaped.
            prop_assume!(!text.contains("$${"));
            let escaped = text.replace("${", "$${");
            let outcome = interpolate(&escaped, &|_| None);
            prop_assert_eq!(outcome.as_deref(), Ok(text.as_str()));
        }

        #[test]
        fn what_a_variable_holds_is_not_read_again(value in ".*") {
            let outcome = interpolate("${X}", &|_| Some(value.clone()));
            prop_assert_eq!(outcome.as_deref(), Ok(value.as_str()));
        }
    }
}
