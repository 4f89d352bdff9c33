//! Environments against Terraform: ours agree, and each way to differ is told with its place.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::{fs, path::Path};

use expect_test::{Expect, expect};
use tt_environment::{EnvironmentName, Terraform, differences, load};

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../environments");
/// What `make test-infrastructure` finds the roots to say; it fails when they say something else.
const OUTPUTS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../infrastructure/terraform/offline/outputs"
);

fn compare(dir: &Path, environment: &str, terraform: &Path) -> String {
    let name = EnvironmentName::parse(environment).unwrap();
    let environment = load(dir, &name, &|_| None).unwrap();
    let found = match Terraform::read(terraform) {
        Ok(terraform) => differences(&environment, &terraform).unwrap(),
        Err(error) => return error.to_string().replace(&terraform.display().to_string(), "FILE"),
    };
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    lines.join("\n").replace(&format!("{}/", dir.display()), "")
}

/// staging.yaml with `old` replaced by `new`, against what Terraform says.
fn check(old: &str, new: &str, expected: &Expect) {
    let text = fs::read_to_string(Path::new(FILES).join("staging.yaml")).unwrap();
    assert!(text.contains(old), "staging.yaml no longer says {old:?}");
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("staging.yaml"), text.replacen(old, new, 1)).unwrap();
    expected.assert_eq(&compare(
        dir.path(),
        "staging",
        &Path::new(OUTPUTS).join("staging.json"),
    ));
}

/// staging.yaml as it is, against a file that says `json`.
fn told(json: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("terraform.json");
    fs::write(&file, json).unwrap();
    compare(Path::new(FILES), "staging", &file)
}

#[test]
fn our_environments_and_terraform_agree() {
    for name in ["staging", "production"] {
        let outputs = Path::new(OUTPUTS).join(format!("{name}.json"));
        assert_eq!(compare(Path::new(FILES), name, &outputs), "", "{name}");
    }
}

#[test]
fn each_difference_has_its_place_and_both_values() {
    check(
        "cluster: task-tracker",
        "cluster: tasks",
        &expect!["staging.yaml:12:12: `service.cluster` is tasks here and task-tracker in Terraform"],
    );
    check(
        "minimum_tasks: 1",
        "minimum_tasks: 3",
        &expect!["staging.yaml:15:18: `service.minimum_tasks` is 3 here and 1 in Terraform"],
    );
    check(
        "task-tracker/database-url",
        "task-tracker/url",
        &expect![
            "staging.yaml:53:26: `secrets.DATABASE_URL` is task-tracker/url here and task-tracker/database-url in Terraform"
        ],
    );
    check(
        "base_url: https",
        "base_url: http",
        &expect![
            "staging.yaml:41:13: `smoke_test.base_url` is http://api.staging.tasks.example.com:8443 here and https://api.staging.tasks.example.com:8443 in Terraform"
        ],
    );
}

#[test]
fn what_only_one_of_them_says() {
    check(
        "secrets:\n",
        "secrets:\n  EXTRA: {secret: task-tracker/extra}\n",
        &expect!["staging.yaml:53:19: `secrets.EXTRA` is task-tracker/extra here, and Terraform says nothing of it"],
    );
    check(
        "  credentials: {secret: gitlab/registry}\n",
        "",
        &expect!["staging.yaml:18:3: `image.credentials` is not set here and gitlab/registry in Terraform"],
    );
    check(
        "alarms: [task-tracker-errors, task-tracker-p95]",
        "alarms: [task-tracker-p95]",
        &expect![
            "staging.yaml:48:9: `alarms` is task-tracker-p95 here and task-tracker-errors, task-tracker-p95 in Terraform"
        ],
    );
}

#[test]
fn the_order_of_alarms_is_nobody_s_business() {
    check(
        "[task-tracker-errors, task-tracker-p95]",
        "[task-tracker-p95, task-tracker-errors]",
        &expect![""],
    );
}

#[test]
fn a_plan_says_the_same_as_the_outputs() {
    let outputs = fs::read_to_string(Path::new(OUTPUTS).join("staging.json")).unwrap();
    let outputs: serde_json::Value = serde_json::from_str(&outputs).unwrap();
    let planned = serde_json::json!({"planned_values": {"outputs": outputs}});
    assert_eq!(told(&planned.to_string()), "");
    let changes = serde_json::json!({"output_changes": {"tt_ops": {"after": outputs["tt_ops"]["value"]}}});
    assert_eq!(told(&changes.to_string()), "");
}

#[test]
fn a_file_that_is_something_else() {
    expect!["FILE has no output `tt_ops`; write it in a root of infrastructure/terraform with `terraform output -json` or `terraform show -json PLAN`"].assert_eq(&told("{}"));
    expect!["FILE is not JSON; write it with `terraform output -json` or `terraform show -json PLAN`"]
        .assert_eq(&told("resource \"aws_s3_bucket\""));
    expect!["could not read FILE"].assert_eq(&compare(Path::new(FILES), "staging", Path::new("no/such.json")));
}
