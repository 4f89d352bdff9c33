//! Who owns which field. After an apply the state is changed as a deploy would have changed the account; then a plan must be
//! empty. That this is `ignore_changes`' doing is shown by taking it away.

use std::{env, fs, path::Path};

use serde_json::{Value, json};

use crate::{failure::Failure, place::Place};

use super::{terraform::Terraform, tree::Tree};

/// Where the fields are left to others.
const FILES: [&str; 2] = ["modules/service/main.tf", "modules/service/traffic.tf"];
/// The module that has them, as addresses begin.
const SERVICE: &str = "module.environment.module.service.";
/// Resource and field: what a deploy by tt-ops changes, and ECS and autoscaling with it.
const OWNED: [(&str, &str); 5] = [
    ("aws_ecs_service.this", "task_definition"),
    ("aws_ecs_service.this", "desired_count"),
    ("aws_ecs_service.this", "deployment_configuration"),
    ("aws_lb_listener_rule.production", "action"),
    ("aws_lb_listener_rule.test", "action"),
];

/// How many fields are left alone, each of them shown to matter.
pub(super) fn respected(tree: &Tree, terraform: &Terraform<'_>, environment: &str) -> Result<usize, Failure> {
    let folder = tree.folder(environment);
    let unchanged = terraform.plan(&folder, &[])?;
    if unchanged.changes {
        return Err(complaint(
            environment,
            "a second plan after an apply would change something",
            &unchanged.changed(),
        ));
    }
    deploy(&folder)?;
    let after = terraform.plan(&folder, &[])?;
    if after.changes {
        return Err(complaint(
            environment,
            "Terraform would take back what a deploy did",
            &after.changed(),
        ));
    }
    // Each environment has a copy of the modules to itself for this: the other one plans at the same time.
    let own = Tree::beside(tree, environment)?;
    let unprotected = own.with(FILES[0], without_ignore_changes, || {
        own.with(FILES[1], without_ignore_changes, || {
            let folder = own.folder(environment);
            terraform.init(&folder)?;
            terraform.plan(&folder, &[])
        })
    })?;
    let changed = unprotected.changed();
    for (resource, field) in OWNED {
        let address = format!("{SERVICE}{resource}");
        let touched = changed
            .iter()
            .any(|change| change.address == address && change.touches(field));
        if !touched {
            return Err(Failure::Check(format!(
                "{environment}: without ignore_changes a plan would leave {field} of {address} alone as well, so this test proves nothing of it"
            )));
        }
    }
    Ok(OWNED.len())
}

fn complaint(environment: &str, what: &str, changes: &[super::terraform::Change<'_>]) -> Failure {
    let names: Vec<&str> = changes.iter().map(|change| change.address).collect();
    Failure::Check(format!("{environment}: {what}: {}", names.join(", ")))
}

/// Takes every `ignore_changes` of a file away.
fn without_ignore_changes(text: &str) -> String {
    let mut rest = text;
    let mut kept = String::new();
    while let Some((before, after)) = rest.split_once("ignore_changes = [") {
        kept.push_str(before);
        rest = after.split_once(']').map_or("", |(_, after)| after);
    }
    kept + rest
}

/// Changes the state as an account looks after a deploy: another revision, more tasks, a canary, traffic on the other group.
fn deploy(folder: &Path) -> Result<(), Failure> {
    let path = folder.join("terraform.tfstate");
    let text = fs::read_to_string(&path).map_err(|cause| Failure::Read {
        path: path.clone(),
        cause,
    })?;
    let mut state: Value = serde_json::from_str(&text).map_err(|cause| Failure::Json {
        path: path.clone(),
        cause,
    })?;
    let resources = state["resources"].as_array_mut().into_iter().flatten();
    for resource in resources.filter(|resource| resource["mode"] == "managed") {
        let kind = resource["type"].as_str().unwrap_or_default().to_owned();
        for instance in resource["instances"].as_array_mut().into_iter().flatten() {
            let attributes = &mut instance["attributes"];
            match kind.as_str() {
                "aws_ecs_service" => deployed(attributes),
                "aws_lb_listener_rule" => shifted(attributes),
                _ => {}
            }
        }
    }
    // Terraform keeps a copy of the newest state by its serial.
    let serial = state["serial"].as_u64().unwrap_or_default();
    state["serial"] = json!(serial + 1);
    fs::write(&path, state.to_string()).map_err(|cause| Failure::Write { path, cause })
}

fn deployed(service: &mut Value) {
    service["task_definition"] = json!("arn:aws:ecs:eu-central-1:000000000000:task-definition/task-tracker:42");
    service["desired_count"] = json!(7);
    let configuration = &mut service["deployment_configuration"][0];
    configuration["strategy"] = json!("CANARY");
    configuration["bake_time_in_minutes"] = json!("5");
    configuration["canary_configuration"] = json!([{"canary_percent": 10, "canary_bake_time_in_minutes": "1"}]);
}

fn shifted(rule: &mut Value) {
    for group in rule["action"][0]["forward"][0]["target_group"]
        .as_array_mut()
        .into_iter()
        .flatten()
    {
        let weight = group["weight"].as_u64().unwrap_or_default();
        group["weight"] = json!(100_u64.saturating_sub(weight));
    }
}

/// The outputs that tt-ops is told of are those that are kept beside the code, which its own tests hold against the environments.
pub(super) fn outputs_as_recorded(
    place: &Place,
    terraform: &Terraform<'_>,
    environment: &str,
    folder: &Path,
) -> Result<(), Failure> {
    let outputs = terraform.outputs(folder)?;
    let told = format!("{:#}\n", json!({"tt_ops": outputs["tt_ops"]}));
    let path = place
        .root()
        .join(format!("infrastructure/terraform/offline/outputs/{environment}.json"));
    if env::var_os("UPDATE_EXPECT").is_some() {
        return fs::write(&path, &told).map_err(|cause| Failure::Write { path, cause });
    }
    let recorded = fs::read_to_string(&path).map_err(|cause| Failure::Read {
        path: path.clone(),
        cause,
    })?;
    if recorded == told {
        return Ok(());
    }
    Err(Failure::Check(format!(
        "{environment}: the output `tt_ops` is not what {} says; UPDATE_EXPECT=1 writes it anew. It is now\n{told}",
        path.display()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ignore_changes_goes() {
        let text = "a\n  lifecycle {\n    ignore_changes = [\n      # why\n      task_definition,\n    ]\n  }\nb\n  lifecycle { ignore_changes = [action] }\n";
        let bare = without_ignore_changes(text);
        assert!(
            !bare.contains("ignore_changes") && !bare.contains("action") && bare.contains("\nb\n"),
            "{bare}"
        );
    }

    #[test]
    fn a_shift_turns_the_weights_round() {
        let mut rule = json!({"action": [{"forward": [{"target_group": [{"weight": 100}, {"weight": 0}]}]}]});
        shifted(&mut rule);
        assert_eq!(
            rule["action"][0]["forward"][0]["target_group"],
            json!([{"weight": 0}, {"weight": 100}])
        );
    }
}
