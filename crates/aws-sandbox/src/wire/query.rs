//! The parameter tree of a Query request: `Listeners.member.2.Port=80` is a path of names and list positions.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use url::form_urlencoded;

use super::QueryError;
use crate::front::call::Call;

/// One structure of a request: its own value when it is a leaf, its fields when it is not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Parameters {
    value: Option<String>,
    fields: BTreeMap<String, Parameters>,
}

/// The parameters of a call: the form in the body and, for clients that send a GET, the URI's query.
pub(crate) fn parameters(call: &Call) -> Parameters {
    let mut root = Parameters::default();
    if let Some(query) = call.parts.uri.query() {
        root.insert_form(query.as_bytes());
    }
    root.insert_form(&call.body);
    root
}

impl Parameters {
    /// Reads an `application/x-www-form-urlencoded` text.
    #[cfg(test)]
    pub(crate) fn from_form(form: &str) -> Self {
        let mut root = Self::default();
        root.insert_form(form.as_bytes());
        root
    }

    fn insert_form(&mut self, form: &[u8]) {
        for (name, value) in form_urlencoded::parse(form) {
            let leaf = name
                .split('.')
                .fold(&mut *self, |node, part| node.fields.entry(part.to_owned()).or_default());
            leaf.value = Some(value.into_owned());
        }
    }

    /// The text of a field, if it was sent.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name)?.value.as_deref()
    }

    /// The text of a field that AWS requires.
    pub(crate) fn required(&self, name: &str) -> Result<&str, QueryError> {
        self.text(name).filter(|text| !text.is_empty()).ok_or_else(|| {
            QueryError::sender(
                "ValidationError",
                format!("The request must contain the parameter {name}"),
            )
        })
    }

    /// A number or a boolean, if it was sent.
    pub(crate) fn parsed<T: FromStr<Err: Display>>(&self, name: &str) -> Result<Option<T>, QueryError> {
        self.text(name)
            .map(|text| {
                text.parse().map_err(|cause| {
                    QueryError::sender(
                        "ValidationError",
                        format!("'{text}' is not a valid value for '{name}': {cause}"),
                    )
                })
            })
            .transpose()
    }

    /// A nested structure; an absent one has no fields.
    pub(crate) fn structure(&self, name: &str) -> &Self {
        self.fields.get(name).unwrap_or(&NOTHING)
    }

    /// Whether anything at all was sent under this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// A list in the order of its positions, whatever its element is called: `Names.member.1` (ELB), `Filters.Filter.1` (RDS) or flattened `Names.1`.
    pub(crate) fn list(&self, name: &str) -> Vec<&Self> {
        let Some(list) = self.fields.get(name) else {
            return Vec::new();
        };
        let flattened = list.positions();
        if !flattened.is_empty() {
            return flattened;
        }
        list.fields.values().flat_map(Self::positions).collect()
    }

    /// A list of plain texts.
    pub(crate) fn texts(&self, name: &str) -> Vec<&str> {
        self.list(name)
            .into_iter()
            .filter_map(|item| item.value.as_deref())
            .collect()
    }

    /// The same as a JSON document whose leaves are texts, for a service that speaks several protocols.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        if let Some(value) = &self.value {
            return value.clone().into();
        }
        match self.fields.get("member") {
            Some(list) if self.fields.len() == 1 => list.positions().into_iter().map(Self::to_json).collect(),
            Some(_) | None => {
                let fields = self.fields.iter().map(|(name, field)| (name.clone(), field.to_json()));
                fields.collect::<serde_json::Map<_, _>>().into()
            }
        }
    }

    fn positions(&self) -> Vec<&Self> {
        let mut items: Vec<(u32, &Self)> = self
            .fields
            .iter()
            .filter_map(|(key, item)| Some((key.parse().ok()?, item)))
            .collect();
        items.sort_by_key(|(position, _)| *position);
        items.into_iter().map(|(_, item)| item).collect()
    }
}

static NOTHING: Parameters = Parameters {
    value: None,
    fields: BTreeMap::new(),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_lists_come_in_the_order_of_their_positions() {
        let form = "Action=ModifyRule&Actions.member.1.ForwardConfig.TargetGroups.member.10.Weight=10\
                    &Actions.member.1.ForwardConfig.TargetGroups.member.2.Weight=2&Actions.member.1.Type=forward";
        let parameters = Parameters::from_form(form);
        let actions = parameters.list("Actions");
        assert_eq!(actions.len(), 1);
        assert_eq!(actions[0].text("Type"), Some("forward"));
        let weights: Vec<_> = actions[0]
            .structure("ForwardConfig")
            .list("TargetGroups")
            .into_iter()
            .map(|group| group.parsed::<u32>("Weight").unwrap().unwrap())
            .collect();
        assert_eq!(weights, [2, 10]);
    }

    #[test]
    fn a_list_is_found_under_any_element_name() {
        for form in [
            "Names.member.1=a%2Fb&Names.member.2=c+d",
            "Names.Name.1=a%2Fb&Names.Name.2=c+d",
            "Names.1=a/b&Names.2=c%20d",
        ] {
            assert_eq!(Parameters::from_form(form).texts("Names"), ["a/b", "c d"], "{form}");
        }
    }

    #[test]
    fn an_absent_structure_has_no_fields() {
        let parameters = Parameters::from_form("Name=x&Empty=");
        assert_eq!(parameters.structure("Matcher").text("HttpCode"), None);
        assert!(parameters.list("Names").is_empty());
        assert!(!parameters.has("Names"));
        assert_eq!(parameters.required("Empty").unwrap_err().code(), "ValidationError");
        assert!(parameters.parsed::<u16>("Name").is_err());
    }
}
