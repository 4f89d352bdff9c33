//! One of several words, as a filter names them: with commas between.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A word of the few that there are of its kind.
pub(super) trait Word: Copy + PartialEq + fmt::Debug + 'static {
    const ALL: &'static [Self];

    fn as_str(self) -> &'static str;

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.as_str() == word)
    }
}

/// At least one of them, each once, in the order in which they are listed: two filters that mean the same are the same.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(
    try_from = "String",
    into = "String",
    bound(deserialize = "T: Word", serialize = "T: Word")
)]
pub(super) struct AnyOf<T>(Vec<T>);

impl<T: Word> AnyOf<T> {
    pub(super) fn words(&self) -> Vec<&'static str> {
        self.0.iter().map(|word| word.as_str()).collect()
    }
}

impl<T: Word> TryFrom<String> for AnyOf<T> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let named: Option<Vec<T>> = text.split(',').map(T::parse).collect();
        let named = named.ok_or_else(|| {
            let known: Vec<&str> = T::ALL.iter().map(|word| word.as_str()).collect();
            format!("expected one or several of {}, with commas between", known.join(", "))
        })?;
        Ok(Self(
            T::ALL.iter().copied().filter(|word| named.contains(word)).collect(),
        ))
    }
}

impl<T: Word> From<AnyOf<T>> for String {
    fn from(any: AnyOf<T>) -> Self {
        any.words().join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Status;

    #[test]
    fn words_are_read_in_any_order_and_written_in_one() {
        for (text, expected) in [
            ("done", Some("done")),
            ("done,open", Some("open,done")),
            ("open,open", Some("open")),
            ("", None),
            ("open,", None),
            ("open, done", None),
            ("open,late", None),
        ] {
            let read = AnyOf::<Status>::try_from(text.to_owned()).ok();
            assert_eq!(read.map(String::from).as_deref(), expected, "{text}");
        }
    }
}
