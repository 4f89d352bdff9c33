//! The description as a page to read: plain HTML without any script, so nothing has to be loaded from elsewhere.

use std::fmt::Write;

use serde_json::Value;

/// Its looks.
pub(super) const STYLE: &str = "\
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 0 auto; padding: 1rem; }
code, pre { font-family: ui-monospace, monospace; font-size: 0.9em; }
pre { overflow-x: auto; padding: 0.75rem; background: #8881; border-radius: 0.25rem; }
h2 { margin-top: 3rem; border-bottom: 2px solid #8886; text-transform: capitalize; }
h3 { margin-top: 2.5rem; margin-bottom: 0; overflow-wrap: anywhere; }
h3 + p { margin-top: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
th, td { text-align: left; vertical-align: top; padding: 0.25rem 0.75rem 0.25rem 0; border-bottom: 1px solid #8884; }
td { overflow-wrap: anywhere; }
td:first-child { min-width: 5.5rem; }
nav { columns: 18rem; }
nav section { break-inside: avoid; margin-bottom: 1rem; }
nav h4, nav ul { margin: 0; padding: 0; list-style: none; text-wrap: balance; }
nav h4 { text-transform: capitalize; }
@media (prefers-color-scheme: dark) { a { color: #8bf; } }
";

/// The whole page.
pub(super) fn html(document: &Value) -> String {
    let mut page = Page::default();
    let title = text(&document["info"]["title"]);
    page.raw("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">");
    page.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    page.raw("<link rel=\"stylesheet\" href=\"/api/docs.css\">");
    page.element("title", title);
    page.raw("</head><body><main>");
    page.element("h1", title);
    for paragraph in text(&document["info"]["description"]).split("\n\n") {
        page.paragraph(paragraph);
    }
    page.raw("<p>For programs: <a href=\"/api/openapi.json\">openapi.json</a> (OpenAPI 3.1).</p>");
    let operations = operations(document);
    page.contents(&operations);
    for of_tag in operations.chunk_by(|one, next| one.tag() == next.tag()) {
        page.element("h2", of_tag[0].tag());
        for operation in of_tag {
            page.operation(operation);
        }
    }
    page.raw("<h2>Schemas</h2>");
    for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
        let _ = write!(page.0, "<h3 id=\"schema-{}\">", escaped(name));
        page.text(name);
        page.raw("</h3>");
        page.prose(schema);
        page.raw("<pre><code>");
        page.text(&serde_json::to_string_pretty(schema).unwrap_or_default());
        page.raw("</code></pre>");
    }
    page.raw("</main></body></html>");
    page.0
}

/// One method of one path.
pub(super) struct Operation<'d> {
    pub(super) method: String,
    pub(super) path: &'d str,
    pub(super) about: &'d Value,
}

impl<'d> Operation<'d> {
    /// What it is about.
    pub(super) fn tag(&self) -> &'d str {
        text(&self.about["tags"][0])
    }
}

/// Every operation, by tag and then as the document has them.
pub(super) fn operations(document: &Value) -> Vec<Operation<'_>> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, about) in item.as_object().into_iter().flatten() {
            found.push(Operation {
                method: method.to_uppercase(),
                path,
                about,
            });
        }
    }
    found.sort_by_key(Operation::tag);
    found
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn contents(&mut self, operations: &[Operation<'_>]) {
        self.raw("<nav>");
        for of_tag in operations.chunk_by(|one, next| one.tag() == next.tag()) {
            self.raw("<section>");
            self.element("h4", of_tag[0].tag());
            self.raw("<ul>");
            for Operation { about, .. } in of_tag {
                let _ = write!(self.0, "<li><a href=\"#{}\">", escaped(text(&about["operationId"])));
                self.text(text(&about["summary"]));
                self.raw("</a></li>");
            }
            self.raw("</ul></section>");
        }
        self.raw("</nav>");
    }

    fn operation(&mut self, operation: &Operation<'_>) {
        let Operation { method, path, about } = operation;
        let _ = write!(self.0, "<h3 id=\"{}\">", escaped(text(&about["operationId"])));
        self.text(text(&about["summary"]));
        self.raw("</h3><p><code>");
        self.text(&format!("{method} {path}"));
        self.raw("</code></p>");
        self.prose(about);
        self.paragraph(&format!("Credentials: {}", credentials(about)));
        let parameters = about["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        if !parameters.is_empty() {
            self.raw("<table><tr><th>Parameter</th><th>In</th><th>What it says</th></tr>");
            for parameter in parameters {
                self.raw("<tr>");
                self.element("td", text(&parameter["name"]));
                self.element("td", text(&parameter["in"]));
                self.marked("td", text(&parameter["description"]));
                self.raw("</tr>");
            }
            self.raw("</table>");
        }
        let body = &about["requestBody"]["content"]["application/json"]["schema"];
        if let Some(name) = reference(body) {
            self.raw("<p>Body: ");
            self.schema(name);
            self.raw("</p>");
        }
        self.raw("<table><tr><th>Status</th><th>When</th><th>Body</th></tr>");
        for (status, response) in about["responses"].as_object().into_iter().flatten() {
            self.raw("<tr>");
            self.element("td", status);
            self.marked("td", text(&response["description"]));
            self.raw("<td>");
            if let Some(name) = reference(&response["content"]["application/json"]["schema"]) {
                self.schema(name);
            }
            self.raw("</td></tr>");
        }
        self.raw("</table>");
    }

    fn prose(&mut self, about: &Value) {
        let description = text(&about["description"]);
        if !description.is_empty() {
            self.paragraph(description);
        }
    }

    fn schema(&mut self, name: &str) {
        let _ = write!(self.0, "<a href=\"#schema-{0}\">{0}</a>", escaped(name));
    }

    fn paragraph(&mut self, content: &str) {
        self.marked("p", content);
    }

    /// What stands between backticks is code: the one mark that our descriptions use.
    fn marked(&mut self, name: &str, content: &str) {
        let _ = write!(self.0, "<{name}>");
        for (nth, piece) in content.split('`').enumerate() {
            if nth % 2 == 0 {
                self.text(piece);
            } else {
                self.element("code", piece);
            }
        }
        let _ = write!(self.0, "</{name}>");
    }

    fn element(&mut self, name: &str, content: &str) {
        let _ = write!(self.0, "<{name}>{}</{name}>", escaped(content));
    }

    fn text(&mut self, content: &str) {
        self.0.push_str(&escaped(content));
    }

    fn raw(&mut self, html: &str) {
        self.0.push_str(html);
    }
}

/// In words, which credentials an operation takes.
pub(super) fn credentials(operation: &Value) -> String {
    let alternatives = operation["security"].as_array().map(Vec::as_slice).unwrap_or_default();
    let words: Vec<String> = alternatives
        .iter()
        .flat_map(|one| one.as_object().into_iter().flatten())
        .map(|(scheme, scopes)| match scopes[0].as_str() {
            Some(scope) => format!("{scheme} with {scope}"),
            None => scheme.clone(),
        })
        .collect();
    if words.is_empty() {
        "none".into()
    } else {
        words.join(", or ")
    }
}

/// The name of the schema that is referred to.
pub(super) fn reference(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.rsplit('/').next()
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
