//! A project as a JSON document: what an export writes and an import reads.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Visitor},
};
use utoipa::ToSchema;
use uuid::Uuid;

use super::MOST_TASKS;
use crate::{
    label::Colour,
    task::{Few, Moment, Priority, Status},
    text::{Name, Prose, Words},
};

/// A project with its labels, tasks and comments.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProjectDocument)]
pub(crate) struct Document {
    #[schema(inline)]
    pub(super) format: Format,
    pub(super) project: About,
    #[serde(default)]
    #[schema(max_items = 200)]
    pub(super) labels: Vec<Named>,
    #[serde(deserialize_with = "numbered")]
    #[schema(max_items = 5000)]
    pub(super) tasks: Vec<Item>,
}

/// Of this document; another one would have another name.
#[derive(Deserialize, ToSchema)]
pub(super) enum Format {
    /// As exports were before they said which task is a part of which.
    #[serde(rename = "task-tracker.project/1")]
    One,
    #[serde(rename = "task-tracker.project/2")]
    Two,
}

impl Format {
    /// What exports are.
    pub(super) const WRITTEN: &str = "task-tracker.project/2";
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProjectDocumentProject)]
pub(super) struct About {
    pub(super) name: Name,
    #[serde(default)]
    pub(super) description: Prose,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProjectDocumentLabel)]
pub(super) struct Named {
    pub(super) name: Name,
    pub(super) colour: Colour,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProjectDocumentTask)]
pub(super) struct Item {
    /// By which others of the document name it; it gets another one when it is imported.
    pub(super) id: Option<Uuid>,
    /// The task of the document that it is a part of; when there is none of this id, it stands by itself.
    pub(super) parent_id: Option<Uuid>,
    pub(super) title: Name,
    #[serde(default)]
    pub(super) description: Prose,
    #[serde(default)]
    pub(super) status: Status,
    #[serde(default)]
    pub(super) priority: Priority,
    pub(super) due_at: Option<Moment>,
    /// Its place among the others; at the end, in the order of the document, when it is left out.
    pub(super) rank: Option<Rank>,
    /// By name; one that is not among the document's labels is made.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub(super) labels: Vec<Name>,
    /// Whoever is not in the project is left out.
    #[serde(default)]
    pub(super) assignee_ids: Few,
    #[serde(default)]
    pub(super) comments: Vec<Said>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProjectDocumentComment)]
pub(super) struct Said {
    /// Kept when it is the one who imports, and nobody otherwise.
    pub(super) author_id: Option<Uuid>,
    pub(super) body: Words,
    /// No later than now.
    pub(super) created_at: Moment,
}

/// A place among the tasks of a project, as an export writes it.
#[derive(Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, min_length = 1, max_length = 700, pattern = "^[0-9A-Za-z]*[1-9A-Za-z]$")]
pub(super) struct Rank(pub(super) String);

impl TryFrom<String> for Rank {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let fits = (1..=700).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if fits && !text.ends_with('0') {
            Ok(Self(text))
        } else {
            Err("a rank has 1 to 700 letters and digits of ASCII, and does not end in 0")
        }
    }
}

/// Tasks, each known by its number when something is wrong with it.
fn numbered<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Item>, D::Error> {
    struct Items;

    impl<'de> Visitor<'de> for Items {
        type Value = Vec<Item>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a list of tasks")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut items: Vec<Item> = Vec::new();
            loop {
                let number = items.len() + 1;
                match list.next_element() {
                    Ok(None) => return Ok(items),
                    Ok(Some(_)) if number > MOST_TASKS => {
                        return Err(Error::custom(format!("an import has at most {MOST_TASKS} tasks")));
                    }
                    Ok(Some(item)) => items.push(item),
                    Err(cause) => return Err(Error::custom(format!("task {number}: {cause}"))),
                }
            }
        }
    }

    deserializer.deserialize_seq(Items)
}
