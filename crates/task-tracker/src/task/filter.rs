//! Which tasks of a project somebody wants to see: the grammar of the list's query, and of what is saved of one.

use axum::{
    extract::{FromRequestParts, Query},
    http::{Uri, request::Parts},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    page::Limit,
    problem::Problem,
    task::{
        any_of::AnyOf,
        fields::{Moment, Priority, Status},
        words::Words,
    },
};

/// In what order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Sort {
    /// By id: those that the service chose sort by the time they were made.
    #[default]
    Id,
    /// As they were placed among each other.
    Rank,
    /// What is due first; what is due at no time comes last.
    DueAt,
    /// What matters most first.
    Priority,
}

/// Which tasks, and in what order; all of what is named has to fit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[schema(as = TaskFilter)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Filter {
    /// By id unless it says otherwise.
    #[param(inline)]
    #[schema(inline)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sort: Option<Sort>,
    /// Only those of this status, or of one of these, with commas between: `open`, `in_progress`, `done`.
    #[param(value_type = Option<String>, pattern = r"^(open|in_progress|done)(,(open|in_progress|done))*$")]
    #[schema(value_type = Option<String>, pattern = r"^(open|in_progress|done)(,(open|in_progress|done))*$")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<AnyOf<Status>>,
    /// Only those that matter this much, or as much as one of these says: `none`, `low`, `medium`, `high`, `urgent`.
    #[param(value_type = Option<String>, pattern = r"^(none|low|medium|high|urgent)(,(none|low|medium|high|urgent))*$")]
    #[schema(value_type = Option<String>, pattern = r"^(none|low|medium|high|urgent)(,(none|low|medium|high|urgent))*$")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) priority: Option<AnyOf<Priority>>,
    /// Only those that are due at this moment or later.
    #[param(value_type = Option<String>, format = DateTime)]
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) due_after: Option<Moment>,
    /// Only those that are due before this moment.
    #[param(value_type = Option<String>, format = DateTime)]
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) due_before: Option<Moment>,
    /// Only those of this assignee; `me` is whoever asks.
    #[param(value_type = Option<String>, pattern = r"^(me|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$")]
    #[schema(value_type = Option<String>, pattern = r"^(me|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) assignee: Option<Assignee>,
    /// Only those with this label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) label: Option<Uuid>,
    /// Only the subtasks of this task; `none` are those that are part of no other.
    #[param(value_type = Option<String>, pattern = r"^(none|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$")]
    #[schema(value_type = Option<String>, pattern = r"^(none|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parent: Option<Parent>,
    /// Only those whose title or description has these words; quotes keep words together, a minus excludes one.
    #[param(value_type = Option<String>, max_length = 200, pattern = r"^[^\x00]*$")]
    #[schema(value_type = Option<String>, max_length = 200, pattern = r"^[^\x00]*$")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) q: Option<Words>,
}

impl Filter {
    /// What this names counts instead of what was saved.
    pub(super) fn over(self, saved: Self) -> Self {
        Self {
            sort: self.sort.or(saved.sort),
            status: self.status.or(saved.status),
            priority: self.priority.or(saved.priority),
            due_after: self.due_after.or(saved.due_after),
            due_before: self.due_before.or(saved.due_before),
            assignee: self.assignee.or(saved.assignee),
            label: self.label.or(saved.label),
            parent: self.parent.or(saved.parent),
            q: self.q.or(saved.q),
        }
    }

    /// A user whom it names; `me` is nobody yet.
    pub(crate) fn named_assignee(&self) -> Option<Uuid> {
        match self.assignee? {
            Assignee::Me => None,
            Assignee::User(id) => Some(id),
        }
    }

    pub(crate) fn label(&self) -> Option<Uuid> {
        self.label
    }

    pub(crate) fn named_parent(&self) -> Option<Uuid> {
        match self.parent? {
            Parent::None => None,
            Parent::Task(id) => Some(id),
        }
    }
}

/// Whose tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(super) enum Assignee {
    Me,
    User(Uuid),
}

impl TryFrom<String> for Assignee {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "me" => Ok(Self::Me),
            id => hyphenated(id)
                .map(Self::User)
                .ok_or("an assignee is `me` or the id of a user"),
        }
    }
}

impl From<Assignee> for String {
    fn from(assignee: Assignee) -> Self {
        match assignee {
            Assignee::Me => "me".into(),
            Assignee::User(id) => id.to_string(),
        }
    }
}

/// Parts of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(super) enum Parent {
    None,
    Task(Uuid),
}

impl TryFrom<String> for Parent {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "none" => Ok(Self::None),
            id => hyphenated(id)
                .map(Self::Task)
                .ok_or("a parent is `none` or the id of a task"),
        }
    }
}

impl From<Parent> for String {
    fn from(parent: Parent) -> Self {
        match parent {
            Parent::None => "none".into(),
            Parent::Task(id) => id.to_string(),
        }
    }
}

fn hyphenated(text: &str) -> Option<Uuid> {
    (text.len() == 36).then(|| text.parse().ok()).flatten()
}

/// Which page of the list, and what is asked of the tasks on it: the whole query string.
pub(crate) struct Asked {
    pub(super) paging: Paging,
    pub(super) filter: Filter,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Paging {
    /// How many at most.
    #[serde(default)]
    #[param(value_type = u32, minimum = 1, maximum = 100, default = 50)]
    pub(super) limit: Limit,
    /// From the page before.
    pub(super) cursor: Option<String>,
    /// A saved filter of this project. What the query names beside it counts instead of what was saved.
    #[serde(rename = "filter")]
    #[param(rename = "filter")]
    pub(super) saved: Option<Uuid>,
}

/// The names of `Paging`'s fields; everything else has to be the filter's.
const PAGING: [&str; 3] = ["limit", "cursor", "filter"];

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let pairs = parts.uri.query().unwrap_or_default().split('&');
        let (paging, filter): (Vec<&str>, Vec<&str>) =
            pairs.partition(|pair| PAGING.contains(&pair.split_once('=').map_or(*pair, |(name, _)| name)));
        Ok(Self {
            paging: read(&paging)?,
            filter: read(&filter)?,
        })
    }
}

fn read<T: DeserializeOwned>(pairs: &[&str]) -> Result<T, Problem> {
    let uri: Uri = format!("/?{}", pairs.join("&"))
        .parse()
        .map_err(|_| Problem::Malformed {
            detail: "the query string cannot be read".into(),
        })?;
    let Query(read) = Query::try_from_uri(&uri)?;
    Ok(read)
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    async fn asked(query: &str) -> Result<Asked, Problem> {
        let (mut parts, ()) = Request::get(format!("/tasks?{query}")).body(()).unwrap().into_parts();
        Asked::from_request_parts(&mut parts, &()).await
    }

    #[tokio::test]
    async fn a_query_and_what_is_saved_of_it_are_one_grammar() {
        let id = "00000000-0000-4000-8000-00000000000a";
        let query = format!(
            "status=done,open&limit=7&assignee=me&parent={id}&q=a+b%20c&cursor=x&sort=rank&due_after=2026-01-01T00:00:00%2B02:00"
        );
        let asked = asked(&query).await.unwrap();
        assert_eq!(asked.paging.cursor.as_deref(), Some("x"));
        let saved = serde_json::to_value(&asked.filter).unwrap();
        let expected = serde_json::json!({
            "status": "open,done", "assignee": "me", "parent": id, "q": "a b c", "sort": "rank",
            "due_after": "2025-12-31T22:00:00Z"
        });
        assert_eq!(saved, expected);
        assert_eq!(serde_json::from_value::<Filter>(saved).unwrap(), asked.filter);
    }

    #[tokio::test]
    async fn what_is_not_of_the_grammar_is_refused() {
        for query in [
            "stauts=done",
            "status=finished",
            "status=open,",
            "due_before=tomorrow",
            "assignee=you",
            "parent=",
            "label=red",
            "limit=0",
            "status=done&status=open",
            "filter=mine",
            "%6Cimit=3",
        ] {
            assert!(matches!(asked(query).await, Err(Problem::Malformed { .. })), "{query}");
        }
        assert!(asked("").await.is_ok());
    }

    #[test]
    fn what_is_named_counts_before_what_was_saved() {
        let filter = |json: serde_json::Value| serde_json::from_value::<Filter>(json).unwrap();
        let named = filter(serde_json::json!({ "status": "done" }));
        let saved = filter(serde_json::json!({ "status": "open", "priority": "high" }));
        assert_eq!(
            named.over(saved),
            filter(serde_json::json!({ "status": "done", "priority": "high" }))
        );
    }
}
