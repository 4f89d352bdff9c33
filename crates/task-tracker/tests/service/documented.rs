//! What the service says of itself, and where.

use expect_test::expect_file;
use serde_json::Value;

use crate::instance::start;

#[test]
fn the_page_of_the_repository_is_up_to_date() {
    let page = task_tracker::openapi_markdown(&task_tracker::openapi_document());
    expect_file![concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/api.md")].assert_eq(&page);
}

#[tokio::test]
async fn the_description_is_there_for_programs_and_people_and_loads_nothing_from_elsewhere() {
    let service = start("").await;
    let anybody = service.api.anonymous();
    let document = anybody.get("/api/openapi.json").await.expect(200);
    assert_eq!(document.body, task_tracker::openapi_document());
    assert_eq!(
        document.body["openapi"].as_str().map(|version| &version[..3]),
        Some("3.1")
    );
    let page = anybody.get("/api/docs").await.expect(200);
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
    let html = page.body.as_str().unwrap();
    for elsewhere in ["http://", "https://", "//cdn", "<script"] {
        assert!(!html.contains(elsewhere), "{elsewhere}");
    }
    anybody.get("/api/docs.css").await.expect(200);
}

/// A reader of the description must be able to look everything up in it.
#[test]
fn every_reference_leads_somewhere_and_every_operation_has_its_own_name() {
    let document = task_tracker::openapi_document();
    let mut references = Vec::new();
    collect(&document, &mut references);
    for reference in references {
        let pointer = reference.trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let mut names = Vec::new();
    for item in document["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            names.push(operation["operationId"].as_str().unwrap());
            assert!(
                operation["summary"].is_string() && operation["tags"].is_array(),
                "{operation}"
            );
        }
    }
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
}

fn collect<'d>(value: &'d Value, found: &mut Vec<&'d str>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field.as_str() {
                    Some(reference) if name == "$ref" => found.push(reference),
                    _ => collect(field, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
