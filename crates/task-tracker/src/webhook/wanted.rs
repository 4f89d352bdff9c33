//! Which events a webhook is told of, as owners write it.

use serde::Deserialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Type,
        schema::{ArrayBuilder, ObjectBuilder, Schema},
    },
};

const MOST: usize = 50;
const FORM: &str = r"^[a-z_]{1,50}\.([a-z_]{1,50}|\*)$";

/// Words such as `task.created`, or `task.*` for all of one noun; none of them for everything.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub(super) struct Wanted(Vec<String>);

impl TryFrom<Vec<String>> for Wanted {
    type Error = &'static str;

    fn try_from(words: Vec<String>) -> Result<Self, Self::Error> {
        if words.len() > MOST {
            return Err("a webhook has at most 50 actions; leave the list empty for all of them");
        }
        if words.iter().all(|word| is_action(word)) {
            Ok(Self(words))
        } else {
            Err("an action looks like task.created, or task.* for all about tasks")
        }
    }
}

impl From<Wanted> for Vec<String> {
    fn from(wanted: Wanted) -> Self {
        wanted.0
    }
}

fn is_action(word: &str) -> bool {
    let is_word = |part: &str| {
        (1..=50).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    word.split_once('.')
        .is_some_and(|(noun, verb)| is_word(noun) && (verb == "*" || is_word(verb)))
}

impl PartialSchema for Wanted {
    fn schema() -> RefOr<Schema> {
        let word = ObjectBuilder::new().schema_type(Type::String).pattern(Some(FORM));
        ArrayBuilder::new().items(word).max_items(Some(MOST)).into()
    }
}

impl ToSchema for Wanted {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_a_noun_and_a_verb() {
        let accepted = |word: &str| Wanted::try_from(vec![word.to_owned()]).is_ok();
        for word in ["task.created", "task.*", "api_token.revoked"] {
            assert!(accepted(word), "{word}");
        }
        for word in [
            "",
            "task",
            "task.",
            ".created",
            "*",
            "*.*",
            "task.Created",
            "task.a.b",
            "task.cre*",
        ] {
            assert!(!accepted(word), "{word}");
        }
        assert!(Wanted::try_from(vec!["a.b".to_owned(); 51]).is_err());
    }
}
