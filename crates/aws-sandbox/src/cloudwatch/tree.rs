//! An answer before a protocol is chosen, and how each of the three protocols writes it.

use serde_json::{Map, Value};
use time::OffsetDateTime;

use crate::wire::Xml;

/// A value of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tree {
    Text(String),
    Number(f64),
    Integer(i64),
    Flag(bool),
    /// Seconds since the epoch.
    Time(f64),
    List(Vec<Tree>),
    Fields(Vec<(&'static str, Tree)>),
    /// A map whose keys are data.
    Map(Vec<(String, Tree)>),
}

impl Tree {
    pub(crate) fn list<T: Into<Self>>(items: impl IntoIterator<Item = T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }

    /// AWS JSON.
    pub(crate) fn json(&self) -> Value {
        match self {
            Self::Text(text) => text.clone().into(),
            Self::Number(number) | Self::Time(number) => (*number).into(),
            Self::Integer(number) => (*number).into(),
            Self::Flag(flag) => (*flag).into(),
            Self::List(items) => items.iter().map(Self::json).collect(),
            Self::Fields(fields) => fields
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.json()))
                .collect::<Map<_, _>>()
                .into(),
            Self::Map(entries) => entries
                .iter()
                .map(|(name, value)| (name.clone(), value.json()))
                .collect::<Map<_, _>>()
                .into(),
        }
    }

    /// CBOR (RFC 8949). Numbers keep 64 bits: a client may refuse the shorter floats.
    pub(crate) fn cbor(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write_cbor(&mut bytes);
        bytes
    }

    fn write_cbor(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Text(text) => cbor_text(bytes, text),
            Self::Number(number) => cbor_float(bytes, *number),
            Self::Integer(number) if *number >= 0 => cbor_head(bytes, 0, number.unsigned_abs()),
            Self::Integer(number) => cbor_head(bytes, 1, number.unsigned_abs() - 1),
            Self::Flag(flag) => bytes.push(if *flag { 0xf5 } else { 0xf4 }),
            Self::Time(seconds) => {
                // Tag 1 is a time relative to the epoch (RFC 8949, section 3.4.2).
                cbor_head(bytes, 6, 1);
                cbor_float(bytes, *seconds);
            }
            Self::List(items) => {
                cbor_head(bytes, 4, items.len() as u64);
                for item in items {
                    item.write_cbor(bytes);
                }
            }
            Self::Fields(fields) => {
                cbor_head(bytes, 5, fields.len() as u64);
                for (name, value) in fields {
                    cbor_text(bytes, name);
                    value.write_cbor(bytes);
                }
            }
            Self::Map(entries) => {
                cbor_head(bytes, 5, entries.len() as u64);
                for (name, value) in entries {
                    cbor_text(bytes, name);
                    value.write_cbor(bytes);
                }
            }
        }
    }

    /// The inside of an element of the Query protocol.
    pub(crate) fn xml(&self, xml: &mut Xml) {
        match self {
            Self::Text(text) => xml.escape(text),
            Self::Number(number) => xml.escape(&number.to_string()),
            Self::Integer(number) => xml.escape(&number.to_string()),
            Self::Flag(flag) => xml.escape(&flag.to_string()),
            Self::Time(seconds) => xml.escape(&iso_8601(*seconds)),
            Self::List(items) => {
                for item in items {
                    xml.element("member", |xml| item.xml(xml));
                }
            }
            Self::Fields(fields) => {
                for (name, value) in fields {
                    xml.element(name, |xml| value.xml(xml));
                }
            }
            Self::Map(entries) => {
                for (name, value) in entries {
                    xml.element("entry", |xml| {
                        xml.text("key", name);
                        xml.element("value", |xml| value.xml(xml));
                    });
                }
            }
        }
    }
}

fn iso_8601(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "a time in milliseconds fits 53 bits")]
    let milliseconds = (seconds * 1000.0).round() as i128;
    OffsetDateTime::from_unix_timestamp_nanos(milliseconds * 1_000_000)
        .ok()
        .and_then(|at| at.format(&time::format_description::well_known::Rfc3339).ok())
        .unwrap_or_default()
}

/// The first byte and the length that follows it.
fn cbor_head(bytes: &mut Vec<u8>, major: u8, value: u64) {
    let major = major << 5;
    match (u8::try_from(value), u16::try_from(value), u32::try_from(value)) {
        (Ok(value @ 0..24), _, _) => bytes.push(major | value),
        (Ok(value), _, _) => bytes.extend([major | 0x18, value]),
        (_, Ok(value), _) => {
            bytes.push(major | 0x19);
            bytes.extend(value.to_be_bytes());
        }
        (_, _, Ok(value)) => {
            bytes.push(major | 0x1a);
            bytes.extend(value.to_be_bytes());
        }
        (Err(_), Err(_), Err(_)) => {
            bytes.push(major | 0x1b);
            bytes.extend(value.to_be_bytes());
        }
    }
}

fn cbor_text(bytes: &mut Vec<u8>, text: &str) {
    cbor_head(bytes, 3, text.len() as u64);
    bytes.extend(text.as_bytes());
}

fn cbor_float(bytes: &mut Vec<u8>, number: f64) {
    bytes.push(0xfb);
    bytes.extend(number.to_be_bytes());
}

impl From<&str> for Tree {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Tree {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&String> for Tree {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<f64> for Tree {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Tree {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<u32> for Tree {
    fn from(number: u32) -> Self {
        Self::Integer(number.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Tree {
        Tree::Fields(vec![
            ("Name", "a<b".into()),
            ("Values", Tree::list([1.5, 2.0])),
            ("At", Tree::Time(1_700_000_000.25)),
            ("Count", Tree::Integer(-300)),
            ("On", true.into()),
            ("Extra", Tree::Map(vec![("p95".to_owned(), 0.5.into())])),
        ])
    }

    #[test]
    fn json_and_xml_say_the_same() {
        let json = r#"{"At":1700000000.25,"Count":-300,"Extra":{"p95":0.5},"Name":"a<b","On":true,"Values":[1.5,2.0]}"#;
        assert_eq!(sample().json(), serde_json::from_str::<Value>(json).unwrap());
        let mut xml = Xml::default();
        sample().xml(&mut xml);
        assert_eq!(
            xml.finish(),
            "<Name>a&lt;b</Name><Values><member>1.5</member><member>2</member></Values>\
             <At>2023-11-14T22:13:20.25Z</At><Count>-300</Count><On>true</On>\
             <Extra><entry><key>p95</key><value>0.5</value></entry></Extra>"
        );
    }

    #[test]
    fn cbor_is_what_another_reader_understands() {
        let mut long = Vec::from([sample()]);
        long.extend((0..300).map(|number| Tree::Integer(number * number * number * 1000)));
        let tree = Tree::List(long);
        let read: ciborium::Value = ciborium::from_reader(tree.cbor().as_slice()).unwrap();
        let items = read.as_array().unwrap();
        assert_eq!(items.len(), 301);
        assert_eq!(items[300].as_integer(), Some((299_i64.pow(3) * 1000).into()));
        let fields = items[0].as_map().unwrap();
        assert_eq!(fields[2].1, ciborium::Value::Tag(1, Box::new(1_700_000_000.25.into())));
        assert_eq!(fields[3].1.as_integer(), Some((-300).into()));
    }
}
