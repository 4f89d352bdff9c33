//! Whether a file has the shape of an environment: the right keys, kinds of values, and values that can be read.
//!
//! It walks the tree and the JSON schema side by side, so it finds everything at once, where serde would stop at the
//! first. It fills in variables on its way and returns what `raw` then takes without complaint.

use serde_json::{Map, Value};

use crate::InvalidValue;
use crate::error::{ProblemKind, nearest};
use crate::interpolate::{Fault, interpolate};
use crate::locate::Part;
use crate::node::Node;
use crate::scalar;

/// Something wrong, by the way down the tree; `load` turns it into a line and a column.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) indices: Vec<usize>,
    pub(crate) part: Part,
    pub(crate) key: String,
    pub(crate) kind: ProblemKind,
}

/// The values of the tree, in the shape of the schema, or everything that is wrong with it.
pub(crate) fn fit(node: &Node, schema: &Value, vars: &dyn Fn(&str) -> Option<String>) -> Result<Value, Vec<Finding>> {
    let mut walk = Walk {
        vars,
        indices: Vec::new(),
        keys: Vec::new(),
        findings: Vec::new(),
    };
    let value = walk.value(node, schema);
    if walk.findings.is_empty() {
        Ok(value)
    } else {
        Err(walk.findings)
    }
}

/// The walk so far. A value that does not fit is noted and replaced by null: with a finding, nobody reads the result.
struct Walk<'w> {
    vars: &'w dyn Fn(&str) -> Option<String>,
    indices: Vec<usize>,
    keys: Vec<String>,
    findings: Vec<Finding>,
}

impl Walk<'_> {
    fn value(&mut self, node: &Node, schema: &Value) -> Value {
        let optional = admits(schema, "null");
        let schema = present(schema);
        if schema["x-secret-reference"] == true && matches!(node, Node::Text(_) | Node::Number(_)) {
            return self.note(ProblemKind::SecretValue);
        }
        match node {
            Node::Null if optional => Value::Null,
            Node::Map(entries) if admits(schema, "object") => self.mapping(entries, schema),
            Node::List(items) if admits(schema, "array") => self.list(items, schema),
            Node::Text(text) if admits(schema, "string") => self.text(text, schema),
            Node::Number(number) if admits(schema, "string") && admits(schema, "number") => {
                self.text(&number.to_string(), schema)
            }
            Node::Number(number) if admits(schema, "integer") && number.is_u64() => self.number(number, schema),
            Node::Bool(value) if admits(schema, "boolean") => Value::Bool(*value),
            Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::List(_) | Node::Map(_) => {
                self.note(ProblemKind::WrongType {
                    expected: describe(schema),
                    found: node.describe(),
                    hint: hint(node, schema),
                })
            }
        }
    }

    fn mapping(&mut self, entries: &[(String, Node)], schema: &Value) -> Value {
        let mut values = Map::new();
        let mut meant: Vec<&str> = Vec::new();
        let known: Vec<&str> = properties(schema).map(|(key, _)| key).collect();
        for (index, (key, node)) in entries.iter().enumerate() {
            self.indices.push(index);
            self.keys.push(key.clone());
            let described = schema["properties"]
                .get(key)
                .or_else(|| schema.get("additionalProperties"));
            if entries[..index].iter().any(|(earlier, _)| earlier == key) {
                self.note_key(ProblemKind::DuplicateKey);
            } else if let Some(schema) = described.filter(|schema| schema.is_object()) {
                let value = self.value(node, schema);
                values.insert(key.clone(), value);
            } else {
                let nearest = nearest(key, known.iter().copied());
                meant.extend(nearest);
                self.note_key(ProblemKind::UnknownKey {
                    known: known.iter().map(|&key| key.to_owned()).collect(),
                    nearest: nearest.map(str::to_owned),
                });
            }
            self.keys.pop();
            self.indices.pop();
        }
        for (key, property) in properties(schema) {
            let required = schema["required"]
                .as_array()
                .is_some_and(|required| required.iter().any(|name| name == key));
            // A key that was only misspelt is not missing as well.
            if required && !entries.iter().any(|(found, _)| found == key) && !meant.contains(&key) {
                self.keys.push(key.to_owned());
                self.note_key(ProblemKind::MissingKey {
                    purpose: purpose(property),
                });
                self.keys.pop();
            }
        }
        Value::Object(values)
    }

    fn list(&mut self, items: &[Node], schema: &Value) -> Value {
        if schema["minItems"]
            .as_u64()
            .is_some_and(|minimum| (items.len() as u64) < minimum)
        {
            return self.note(ProblemKind::NotAllowed(format!("`{}` must not be empty", self.key())));
        }
        let mut values = Vec::new();
        for (index, item) in items.iter().enumerate() {
            self.indices.push(index);
            self.keys.push(index.to_string());
            values.push(self.value(item, &schema["items"]));
            self.keys.pop();
            self.indices.pop();
        }
        Value::Array(values)
    }

    fn text(&mut self, written: &str, schema: &Value) -> Value {
        let text = match interpolate(written, self.vars) {
            Ok(text) => text,
            Err(faults) => {
                for fault in faults {
                    self.note(match fault {
                        Fault::Missing(name) => ProblemKind::MissingVariable(name),
                        Fault::Malformed => ProblemKind::MalformedReference,
                    });
                }
                return Value::Null;
            }
        };
        if let Some(choices) = choices(schema) {
            if choices.contains(&text.as_ref()) {
                return Value::String(text.into_owned());
            }
            return self.note(ProblemKind::UnknownValue {
                found: written.to_owned(),
                nearest: nearest(&text, choices.iter().copied()).map(str::to_owned),
                known: choices.into_iter().map(str::to_owned).collect(),
            });
        }
        match schema["format"]
            .as_str()
            .map_or(Ok(()), |format| scalar::check(format, &text))
        {
            Ok(()) => Value::String(text.into_owned()),
            // What a variable held is not repeated: only its owner knows whether it may be.
            Err(error) if text != written => self.note(ProblemKind::BadValue(InvalidValue::unseen(error.expected()))),
            Err(error) => self.note(ProblemKind::BadValue(error)),
        }
    }

    fn number(&mut self, number: &serde_json::Number, schema: &Value) -> Value {
        let key = self.key();
        if let Some(only) = schema
            .get("const")
            .filter(|&only| only != &Value::Number(number.clone()))
        {
            return self.note(ProblemKind::NotAllowed(format!(
                "`{key}` must be {only}, and this is {number}"
            )));
        }
        let value = number.as_u64().unwrap_or_default();
        let (minimum, maximum) = (schema["minimum"].as_u64(), schema["maximum"].as_u64());
        if minimum.is_some_and(|minimum| value < minimum) || maximum.is_some_and(|maximum| value > maximum) {
            let limits = match (minimum, maximum) {
                (Some(minimum), Some(maximum)) => format!("from {minimum} to {maximum}"),
                (Some(minimum), None) => format!("at least {minimum}"),
                (None, _) => format!("at most {}", maximum.unwrap_or(u64::MAX)),
            };
            return self.note(ProblemKind::NotAllowed(format!(
                "`{key}` must be {limits}, and this is {number}"
            )));
        }
        Value::Number(number.clone())
    }

    fn key(&self) -> String {
        self.keys.join(".")
    }

    fn note(&mut self, kind: ProblemKind) -> Value {
        self.findings.push(Finding {
            indices: self.indices.clone(),
            part: Part::Value,
            key: self.key(),
            kind,
        });
        Value::Null
    }

    fn note_key(&mut self, kind: ProblemKind) {
        self.findings.push(Finding {
            indices: self.indices.clone(),
            part: Part::Key,
            key: self.key(),
            kind,
        });
    }
}

/// Of “this or null”, this.
fn present(schema: &Value) -> &Value {
    let branches = schema["anyOf"].as_array();
    branches
        .and_then(|branches| branches.iter().find(|branch| branch["type"] != "null"))
        .unwrap_or(schema)
}

/// Whether a value of that JSON type can fit.
fn admits(schema: &Value, kind: &str) -> bool {
    let kinds = schema["type"].as_array();
    let named = schema["type"] == kind || kinds.is_some_and(|kinds| kinds.iter().any(|named| named == kind));
    let branches = schema["anyOf"].as_array();
    named
        || branches.is_some_and(|branches| branches.iter().any(|branch| admits(branch, kind)))
        || (kind == "string" && choices(schema).is_some())
}

/// The texts of an enumeration, whether its members are described or not.
fn choices(schema: &Value) -> Option<Vec<&str>> {
    let described = schema["oneOf"].as_array();
    let plain = schema["enum"].as_array();
    let members = described.map(|members| members.iter().filter_map(|member| member["const"].as_str()).collect());
    members.or_else(|| plain.map(|members| members.iter().filter_map(Value::as_str).collect()))
}

fn properties(schema: &Value) -> impl Iterator<Item = (&str, &Value)> {
    schema["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, property)| (key.as_str(), property))
}

/// The first sentence of a description.
fn purpose(schema: &Value) -> String {
    let description = schema["description"]
        .as_str()
        .or_else(|| present(schema)["description"].as_str());
    let first = description.unwrap_or_default().split(". ").next().unwrap_or_default();
    first.trim_end_matches('.').replace('\n', " ")
}

/// What the schema accepts, as a noun phrase.
fn describe(schema: &Value) -> String {
    if let Some(choices) = choices(schema) {
        return format!("one of: {}", choices.join(", "));
    }
    if let Some(title) = schema["title"].as_str().filter(|_| schema["format"].is_string()) {
        return title.to_owned();
    }
    if admits(schema, "object") {
        let keys: Vec<&str> = properties(schema).map(|(key, _)| key).collect();
        return if keys.is_empty() {
            "a mapping".to_owned()
        } else {
            format!("a mapping with the keys {}", keys.join(", "))
        };
    }
    let kinds = [
        ("array", "a list"),
        ("integer", "a whole number, not negative"),
        ("boolean", "true or false"),
    ];
    let kind = kinds.iter().find(|(kind, _)| admits(schema, kind));
    kind.map_or("a text", |(_, words)| words).to_owned()
}

/// How to write a value of the wrong kind, where the mistake is a common one.
fn hint(node: &Node, schema: &Value) -> Option<&'static str> {
    let text_expected = admits(schema, "string");
    match node {
        Node::Number(_) | Node::Bool(_) if text_expected && schema["format"] != "time-span" => Some("put it in quotes"),
        Node::Text(text) if text.contains("${") => Some("variables are filled in in texts only"),
        Node::Text(text) if admits(schema, "integer") && text.parse::<u64>().is_ok() => Some("write it without quotes"),
        Node::Null => Some("give it a value, or leave the key out where it is optional"),
        Node::Number(_) | Node::Bool(_) | Node::Text(_) | Node::List(_) | Node::Map(_) => None,
    }
}
