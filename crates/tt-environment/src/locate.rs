//! Where in a file something stands. The YAML parser itself is asked: it walks down to the node and is made to fail
//! there, and its error carries the line and column. So there is no second idea of YAML that could disagree.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A place in a file, both counted from 1; columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Position {
    /// The beginning of a file.
    pub(crate) const START: Self = Self { line: 1, column: 1 };

    /// Where the parser says that its error is.
    pub(crate) fn of(error: &serde_yaml::Error) -> Option<Self> {
        error.location().map(|location| Self {
            line: location.line(),
            column: location.column(),
        })
    }
}

/// Which part of an entry is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Key,
    Value,
}

/// The position of the node at the end of these indices (an item of a list, an entry of a mapping).
pub(crate) fn locate(text: &str, indices: &[usize], part: Part) -> Position {
    let probe = Probe { indices, part };
    match probe.deserialize(serde_yaml::Deserializer::from_str(text)) {
        Ok(()) => Position::START,
        Err(error) => Position::of(&error).unwrap_or(Position::START),
    }
}

/// The position of the first occurrence of `needle` at or after `from`, or `from` when there is none.
pub(crate) fn locate_within(text: &str, from: Position, needle: &str) -> Position {
    for (index, line) in text.lines().enumerate().skip(from.line - 1) {
        let skipped = if index + 1 == from.line { from.column - 1 } else { 0 };
        let start = line.char_indices().nth(skipped).map_or(line.len(), |(start, _)| start);
        if let Some(found) = line[start..].find(needle) {
            let column = line[..start + found].chars().count() + 1;
            return Position {
                line: index + 1,
                column,
            };
        }
    }
    from
}

/// Descends along the indices. At their end it accepts no kind of value, so the parser fails exactly there.
struct Probe<'p> {
    indices: &'p [usize],
    part: Part,
}

impl<'de> DeserializeSeed<'de> for Probe<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Probe<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("to stop here")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        let Some((&target, indices)) = self.indices.split_first() else {
            return Err(A::Error::custom("here"));
        };
        for _ in 0..target {
            sequence.next_element::<IgnoredAny>()?;
        }
        sequence.next_element_seed(Probe {
            indices,
            part: self.part,
        })?;
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut mapping: A) -> Result<(), A::Error> {
        let Some((&target, indices)) = self.indices.split_first() else {
            return Err(A::Error::custom("here"));
        };
        for _ in 0..target {
            mapping.next_entry::<IgnoredAny, IgnoredAny>()?;
        }
        if indices.is_empty() && self.part == Part::Key {
            mapping.next_key_seed(Probe {
                indices,
                part: Part::Value,
            })?;
        } else {
            mapping.next_key::<IgnoredAny>()?;
            mapping.next_value_seed(Probe {
                indices,
                part: self.part,
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Node;

    const TEXT: &str = "\
# a comment
one: 1
two:
  three: [a, \"b\", {four: ä, five: null}]
  six:
    - seven: |
        text
    - 8
  nine:
";

    #[test]
    fn every_node_is_found_where_it_is_written() {
        let node: Node = serde_yaml::from_str(TEXT).unwrap();
        for (path, part, line, column) in [
            ("", Part::Value, 2, 1),
            ("one", Part::Key, 2, 1),
            ("one", Part::Value, 2, 6),
            ("two", Part::Key, 3, 1),
            ("two", Part::Value, 4, 3),
            ("two.three", Part::Value, 4, 10),
            ("two.three.1", Part::Value, 4, 14),
            ("two.three.2.four", Part::Value, 4, 26),
            ("two.three.2.five", Part::Key, 4, 29),
            ("two.six.0.seven", Part::Key, 6, 7),
            ("two.six.1", Part::Value, 8, 7),
            ("two.nine", Part::Key, 9, 3),
        ] {
            assert_eq!(
                locate(TEXT, &node.indices(path), part),
                Position { line, column },
                "{path}"
            );
        }
    }

    #[test]
    fn a_reference_is_found_inside_its_value() {
        let text = "key: \"ä ${A}\n  and ${B}\"\n";
        let value = locate(text, &[0], Part::Value);
        assert_eq!(value, Position { line: 1, column: 6 });
        assert_eq!(locate_within(text, value, "${A"), Position { line: 1, column: 9 });
        assert_eq!(locate_within(text, value, "${B"), Position { line: 2, column: 7 });
        assert_eq!(locate_within(text, value, "${C"), value);
    }
}
