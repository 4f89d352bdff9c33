//! The description as a page of the repository's documentation: `docs/api.md` is this, and a test says so.

use std::fmt::Write;

use serde_json::Value;

use crate::openapi::page::{credentials, operations, reference, text};

/// The whole page.
pub fn markdown(document: &Value) -> String {
    let mut page = format!(
        "# The API of {}\n\n{}\n\nThis page is made from the service's own description, which a running service gives at\n\
         `/api/openapi.json` (OpenAPI 3.1), and as a page with every schema at `/api/docs`. A test fails when it is out of date;\n\
         `UPDATE_EXPECT=1 cargo test -p task-tracker --test service documented` writes it anew.\n",
        text(&document["info"]["title"]),
        text(&document["info"]["description"]),
    );
    let mut tag = "";
    let operations = operations(document);
    for operation in &operations {
        let about = operation.about;
        if operation.tag() != tag {
            tag = operation.tag();
            let _ = write!(
                page,
                "\n## {tag}\n\n| operation | what | credentials | body | answers |\n|---|---|---|---|---|\n"
            );
        }
        let body = &about["requestBody"]["content"]["application/json"]["schema"];
        let _ = writeln!(
            page,
            "| `{} {}` | {} | {} | {} | {} |",
            operation.method,
            operation.path,
            text(&about["summary"]),
            credentials(about),
            reference(body).map(|name| format!("`{name}`")).unwrap_or_default(),
            answers(about),
        );
    }
    page
}

/// What an operation answers when all is well; problems are explained once, above.
fn answers(operation: &Value) -> String {
    let responses = operation["responses"].as_object().into_iter().flatten();
    let good = responses.filter(|(status, _)| status.as_str() < "400");
    let words: Vec<String> = good
        .map(|(status, response)| {
            let schema = &response["content"]["application/json"]["schema"];
            match reference(schema) {
                Some(name) => format!("{status} `{name}`"),
                None => status.clone(),
            }
        })
        .collect();
    words.join(", ")
}
