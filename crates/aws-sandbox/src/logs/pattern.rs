//! Filter patterns for unstructured events (Amazon CloudWatch Logs User Guide, "Filter pattern syntax").

use crate::wire::json::JsonError;

/// Terms an event must have, may not have, or must have one of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Pattern {
    all: Vec<String>,
    none: Vec<String>,
    any: Vec<String>,
}

impl Pattern {
    pub(crate) fn parse(text: &str) -> Result<Self, JsonError> {
        let mut pattern = Self::default();
        let mut rest = text.trim();
        if rest.starts_with('{') || rest.starts_with('[') || rest.starts_with('%') {
            let message = "The sandbox filters by terms only, not by JSON, columns or regular expressions.";
            return Err(JsonError::client("InvalidParameterException", message));
        }
        while let Some(first) = rest.chars().next() {
            let terms = match first {
                '-' => &mut pattern.none,
                '?' => &mut pattern.any,
                _ => &mut pattern.all,
            };
            let sign = usize::from(first == '-' || first == '?');
            let (term, after) = term(&rest[sign..])?;
            terms.push(term);
            rest = after.trim_start();
        }
        Ok(pattern)
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        let has = |term: &String| text.contains(term.as_str());
        self.all.iter().all(has) && !self.none.iter().any(has) && (self.any.is_empty() || self.any.iter().any(has))
    }
}

/// A word, or a phrase in quotes, and what follows it.
fn term(text: &str) -> Result<(String, &str), JsonError> {
    if let Some(phrase) = text.strip_prefix('"') {
        let end = phrase.find('"').ok_or_else(|| {
            JsonError::client(
                "InvalidParameterException",
                "A quotation mark in the filter pattern is never closed.",
            )
        })?;
        return Ok((phrase[..end].to_owned(), &phrase[end + 1..]));
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    Ok((text[..end].to_owned(), &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_phrases_exclusions_and_alternatives() {
        for (pattern, text, expected) in [
            ("", "anything", true),
            ("ERROR", "an ERROR here", true),
            ("ERROR", "an error here", false),
            ("ERROR 500", "500 is an ERROR", true),
            ("\"is an\"", "500 is an ERROR", true),
            ("\"an is\"", "500 is an ERROR", false),
            ("ERROR -retry", "ERROR, retry", false),
            ("?WARN ?ERROR", "ERROR", true),
            ("?WARN ?ERROR", "INFO", false),
        ] {
            assert_eq!(
                Pattern::parse(pattern).unwrap().matches(text),
                expected,
                "{pattern} in {text}"
            );
        }
        assert!(Pattern::parse("{ $.level = \"error\" }").is_err());
        assert!(Pattern::parse("\"open").is_err());
    }
}
