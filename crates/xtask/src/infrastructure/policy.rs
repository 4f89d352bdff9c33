//! checkov on the plan: settings that are valid and not safe. Every skip stands beside the resource it is for, with its reason.

use std::{fs, process::Command};

use serde_json::Value;

use crate::{
    failure::Failure,
    interrupt::Interrupt,
    place::Place,
    python::{self, Programs},
    said, say,
};

use super::{terraform::Plan, tree::Tree};

/// checkov, or why there is none.
pub(super) struct Policy(Programs);

impl Policy {
    pub(super) fn install(place: &Place, interrupt: &Interrupt) -> Result<Self, Failure> {
        let path = place.root().join("infrastructure/terraform/offline/requirements.txt");
        let requirements = fs::read_to_string(&path).map_err(|cause| Failure::Read { path, cause })?;
        let programs = python::install(&place.results("terraform").join("python"), &requirements, interrupt)?;
        if let Programs::Absent(why) = &programs {
            say::line(format!(
                "skipped: the plans were not held against checkov's policies: {why}"
            ));
        }
        Ok(Self(programs))
    }

    /// What it found, in words; any finding that is not skipped is a failure.
    pub(super) fn check(&self, place: &Place, tree: &Tree, name: &str, plan: &Plan) -> Result<String, Failure> {
        let Programs::Installed(programs) = &self.0 else {
            return Ok("policies not checked".to_owned());
        };
        let mut command = Command::new(programs.join("checkov"));
        // The code is given as well because the skips stand in it.
        command
            .args([
                "--framework",
                "terraform_plan",
                "--compact",
                "--quiet",
                "--skip-download",
            ])
            .args(["--output", "json"])
            .arg("--file")
            .arg(&plan.file)
            .arg("--repo-root-for-plan-enrichment")
            .arg(tree.root())
            .current_dir(place.root());
        // What is skipped for one environment only stands beside that environment.
        let own = tree.folder(name).join(".checkov.yaml");
        if own.is_file() {
            command.arg("--config-file").arg(own);
        }
        let said = said::ask("checkov", &mut command, &Interrupt::never())?;
        let report: Value = serde_json::from_str(&said.out).map_err(|cause| Failure::Json {
            path: plan.file.with_file_name("what checkov said"),
            cause,
        })?;
        verdict(name, &report)
    }
}

fn verdict(name: &str, report: &Value) -> Result<String, Failure> {
    let count = |key: &str| report["summary"][key].as_u64().unwrap_or_default();
    let failed: Vec<String> = report["results"]["failed_checks"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|check| {
            let text = |key: &str| check[key].as_str().unwrap_or_default();
            format!("{} {}: {}", text("check_id"), text("resource"), text("check_name"))
        })
        .collect();
    if count("failed") > 0 || count("parsing_errors") > 0 || count("passed") == 0 {
        return Err(Failure::Check(format!(
            "checkov on the plan of {name}: {} passed, {} parsing errors, and\n    {}",
            count("passed"),
            count("parsing_errors"),
            failed.join("\n    ")
        )));
    }
    Ok(format!(
        "{} policies hold and {} are skipped with a reason",
        count("passed"),
        count("skipped")
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_finding_is_named_with_its_resource() {
        let check = json!({"check_id": "CKV_AWS_1", "resource": "aws_lb.this", "check_name": "Ensure it is good"});
        let report = json!({
            "summary": {"passed": 3, "failed": 1, "skipped": 0, "parsing_errors": 0},
            "results": {"failed_checks": [check]},
        });
        let said = verdict("staging", &report).unwrap_err().to_string();
        assert!(said.contains("CKV_AWS_1 aws_lb.this: Ensure it is good"), "{said}");
    }

    #[test]
    fn a_report_without_a_single_check_is_no_pass() {
        assert!(verdict("staging", &json!({"passed": 0, "failed": 0})).is_err());
    }
}
