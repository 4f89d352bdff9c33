//! Lists: the tags of a repository and the repositories themselves.

use http::header;
use http::request::Parts;

use super::super::error::Refusal;
use super::super::name::Repository;
use super::super::{Answer, Registry};
use super::{json, parameter, set};

impl Registry {
    /// All tags, or `n` of them behind the tag `last`.
    pub(super) fn tags(&self, repository: &Repository, parts: &Parts) -> Result<Answer, Refusal> {
        let mut tags = self.known(repository)?.tags()?;
        if let Some(last) = parameter(parts, "last") {
            tags.retain(|tag| *tag > last);
        }
        let size = parameter(parts, "n").and_then(|n| n.parse().ok()).unwrap_or(usize::MAX);
        let more = tags.len() > size;
        tags.truncate(size);
        let mut answer = json(&serde_json::json!({ "name": repository.as_str(), "tags": tags }));
        if let (true, Some(last)) = (more, tags.last()) {
            let next = format!("</v2/{repository}/tags/list?n={size}&last={last}>; rel=\"next\"");
            set(&mut answer, header::LINK, &next);
        }
        Ok(answer)
    }

    pub(super) fn catalog(&self) -> Result<Answer, Refusal> {
        let repositories: Vec<String> = self.repositories()?.iter().map(ToString::to_string).collect();
        Ok(json(&serde_json::json!({ "repositories": repositories })))
    }
}
