//! The description as a page to read: plain HTML without any script, so nothing has to be loaded from elsewhere.

use std::fmt::Write;

use serde_json::Value;

/// Its looks.
pub(super) const STYLE: &str = "\
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 0 auto; padding: 1rem; }
code, pre { font-family: ui-monospace, monospace; font-size: 0.9em; }
h3 { margin-top: 2.5rem; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 0.25rem 0.75rem 0.25rem 0; border-bottom: 1px solid #8884; }
a { color: inherit; }
nav ul { columns: 18rem; list-style: none; padding: 0; }
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
        page.element("p", paragraph);
    }
    page.raw("<p>For programs: <a href=\"/api/openapi.json\">openapi.json</a> (OpenAPI 3.1).</p><nav><ul>");
    let operations = operations(document);
    for operation in &operations {
        let _ = write!(
            page.0,
            "<li><a href=\"#{}\">",
            escaped(text(&operation.about["operationId"]))
        );
        page.text(text(&operation.about["summary"]));
        page.raw("</a></li>");
    }
    page.raw("</ul></nav>");
    for operation in &operations {
        page.operation(operation);
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
    found.sort_by_key(|operation| text(&operation.about["tags"][0]).to_owned());
    found
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn operation(&mut self, operation: &Operation<'_>) {
        let Operation { method, path, about } = operation;
        let _ = write!(self.0, "<h3 id=\"{}\"><code>", escaped(text(&about["operationId"])));
        self.text(&format!("{method} {path}"));
        self.raw("</code></h3>");
        self.element("p", text(&about["summary"]));
        self.prose(about);
        self.element("p", &format!("Credentials: {}", credentials(about)));
        let parameters = about["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        if !parameters.is_empty() {
            self.raw("<table><tr><th>Parameter</th><th>In</th><th></th></tr>");
            for parameter in parameters {
                self.row(&[
                    text(&parameter["name"]),
                    text(&parameter["in"]),
                    text(&parameter["description"]),
                ]);
            }
            self.raw("</table>");
        }
        let body = &about["requestBody"]["content"]["application/json"]["schema"];
        if let Some(name) = reference(body) {
            self.link("Body: ", name);
        }
        self.raw("<table><tr><th>Status</th><th></th><th></th></tr>");
        for (status, response) in about["responses"].as_object().into_iter().flatten() {
            let schema = &response["content"]["application/json"]["schema"];
            self.row(&[
                status,
                text(&response["description"]),
                reference(schema).unwrap_or_default(),
            ]);
        }
        self.raw("</table>");
    }

    fn prose(&mut self, about: &Value) {
        let description = text(&about["description"]);
        if !description.is_empty() {
            self.element("p", description);
        }
    }

    fn link(&mut self, before: &str, schema: &str) {
        let _ = write!(
            self.0,
            "<p>{before}<a href=\"#schema-{0}\">{0}</a></p>",
            escaped(schema)
        );
    }

    fn row(&mut self, cells: &[&str]) {
        self.raw("<tr>");
        for cell in cells {
            self.element("td", cell);
        }
        self.raw("</tr>");
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
