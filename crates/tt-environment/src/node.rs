//! A YAML file as a tree that loses nothing a message needs: entries keep their order and their duplicates.
//!
//! It knows no positions; `locate` asks the parser again, by the tree's indices, when one is needed.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

/// One node of the tree.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    /// Nothing, or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, plainly written.
    Number(Number),
    /// Any other scalar, and everything in quotes.
    Text(String),
    /// A sequence.
    List(Vec<Self>),
    /// A mapping.
    Map(Vec<(String, Self)>),
}

impl Node {
    /// What a message calls it. A text is not repeated: it may be a secret in the wrong place.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Null => "nothing".to_owned(),
            Self::Bool(value) => format!("`{value}`"),
            Self::Number(value) => format!("the number {value}"),
            Self::Text(_) => "a text".to_owned(),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) => "a mapping".to_owned(),
        }
    }

    /// The way down to a dotted key, or as much of it as exists.
    pub(crate) fn indices(&self, dotted: &str) -> Vec<usize> {
        let mut node = self;
        let mut indices = Vec::new();
        for name in dotted.split('.').filter(|name| !name.is_empty()) {
            let child = match node {
                Self::Map(entries) => entries.iter().position(|(key, _)| key == name),
                Self::List(items) => name.parse().ok().filter(|&index| index < items.len()),
                Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => None,
            };
            let Some(index) = child else { break };
            indices.push(index);
            node = match node {
                Self::Map(entries) => &entries[index].1,
                Self::List(items) => &items[index],
                Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => break,
            };
        }
        indices
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Tree)
    }
}

/// Builds the tree from the parser's events.
struct Tree;

impl<'de> Visitor<'de> for Tree {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scalar, a list or a mapping")
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        Number::from_f64(value)
            .map(Node::Number)
            .ok_or_else(|| E::custom("a number must be finite"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut mapping: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = mapping.next_entry::<Node, Node>()? {
            entries.push((text_of_key(key), value));
        }
        Ok(Node::Map(entries))
    }
}

/// Every key we know is a word; the others need a text only to be named in a message.
fn text_of_key(key: Node) -> String {
    match key {
        Node::Text(text) => text,
        Node::Bool(value) => value.to_string(),
        Node::Number(value) => value.to_string(),
        Node::Null | Node::List(_) | Node::Map(_) => key.describe(),
    }
}
