//! Who sends requests, and what they ask for.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
    sync::Arc,
};

use serde::Deserialize;

use crate::Failure;

/// Somebody with an API token, and with a project.
#[derive(Debug, Deserialize)]
pub(crate) struct Person {
    token: String,
    pub(crate) project: String,
    /// Some of the project's.
    tasks: Vec<String>,
    pub(crate) may_write: bool,
}

/// One request of the five that are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ask {
    One,
    List,
    Search,
    Create,
    Update,
}

const WORDS: [&str; 7] = ["fence", "invoice", "page", "stage", "tank", "contract", "shelves"];

pub(crate) fn read(path: &Path) -> Result<Arc<[Person]>, Failure> {
    let lines = BufReader::new(File::open(path)?).lines();
    let people: Result<Vec<Person>, Failure> = lines.map(|line| Ok(serde_json::from_str(&line?)?)).collect();
    let people = people?;
    if people.is_empty() {
        return Err("nobody is there to send requests".into());
    }
    Ok(people.into())
}

impl Ask {
    pub(crate) fn writes(self) -> bool {
        matches!(self, Self::Create | Self::Update)
    }

    /// As it goes over the wire; `number` picks the task and the words.
    pub(crate) fn request(self, person: &Person, number: usize) -> Vec<u8> {
        let project = format!("/api/v1/projects/{}/tasks", person.project);
        let task = || {
            let id = person.tasks.get(number % person.tasks.len().max(1));
            format!("/api/v1/tasks/{}", id.map_or("", String::as_str))
        };
        match self {
            Self::One => person.request("GET", &task(), None),
            Self::List => person.request("GET", &format!("{project}?limit=20"), None),
            Self::Search => {
                let word = WORDS[number % WORDS.len()];
                person.request("GET", &format!("{project}?limit=20&q={word}"), None)
            }
            Self::Create => {
                let body = format!(
                    r#"{{"title":"Order the fence {number}","description":"See what was said about it last week.","priority":"high"}}"#
                );
                person.request("POST", &project, Some(&body))
            }
            Self::Update => {
                let body = format!(r#"{{"title":"Order the fence {number}"}}"#);
                person.request("PATCH", &task(), Some(&body))
            }
        }
    }
}

impl Person {
    pub(crate) fn request(&self, method: &str, path: &str, body: Option<&str>) -> Vec<u8> {
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {}\r\n",
            self.token
        );
        if method == "PATCH" {
            request.push_str("if-match: *\r\n");
        }
        if let Some(body) = body {
            request.push_str("content-type: application/json\r\ncontent-length: ");
            request.push_str(&body.len().to_string());
            request.push_str("\r\n\r\n");
            request.push_str(body);
        } else {
            request.push_str("\r\n");
        }
        request.into_bytes()
    }
}
