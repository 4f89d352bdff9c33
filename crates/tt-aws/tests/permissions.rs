//! The deploy role may do what this crate calls, and nothing else. Both sides are read from their sources: the calls from
//! `src`, the actions from the Terraform module `ci_access`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

const POLICY: &str = "infrastructure/terraform/modules/ci_access/policy.tf";

/// SDK call → what IAM asks for it (AWS Service Authorization Reference). Most calls need the action of their own name; S3's are called
/// otherwise, some need a second one, and knowing oneself needs none.
const CALLS: [(&str, &[&str]); 47] = [
    ("abort_multipart_upload", &["s3:AbortMultipartUpload"]),
    ("add_tags_to_resource", &["rds:AddTagsToResource"]),
    ("complete_multipart_upload", &["s3:PutObject", "kms:Decrypt"]),
    ("continue_service_deployment", &["ecs:ContinueServiceDeployment"]),
    (
        "copy_db_snapshot",
        &[
            "rds:CopyDBSnapshot",
            "rds:AddTagsToResource",
            "kms:CreateGrant",
            "kms:DescribeKey",
        ],
    ),
    ("create_db_snapshot", &["rds:CreateDBSnapshot", "rds:AddTagsToResource"]),
    (
        "create_multipart_upload",
        &["s3:PutObject", "kms:Decrypt", "kms:GenerateDataKey"],
    ),
    ("delete_db_instance", &["rds:DeleteDBInstance"]),
    ("delete_db_snapshot", &["rds:DeleteDBSnapshot"]),
    ("delete_object", &["s3:DeleteObject"]),
    ("describe_alarms", &["cloudwatch:DescribeAlarms"]),
    (
        "describe_db_instance_automated_backups",
        &["rds:DescribeDBInstanceAutomatedBackups"],
    ),
    ("describe_db_instances", &["rds:DescribeDBInstances"]),
    ("describe_db_snapshots", &["rds:DescribeDBSnapshots"]),
    ("describe_listeners", &["elasticloadbalancing:DescribeListeners"]),
    (
        "describe_load_balancers",
        &["elasticloadbalancing:DescribeLoadBalancers"],
    ),
    ("describe_rules", &["elasticloadbalancing:DescribeRules"]),
    ("describe_secret", &["secretsmanager:DescribeSecret"]),
    ("describe_service_deployments", &["ecs:DescribeServiceDeployments"]),
    ("describe_service_revisions", &["ecs:DescribeServiceRevisions"]),
    ("describe_services", &["ecs:DescribeServices"]),
    ("describe_target_health", &["elasticloadbalancing:DescribeTargetHealth"]),
    ("describe_task_definition", &["ecs:DescribeTaskDefinition"]),
    ("describe_tasks", &["ecs:DescribeTasks"]),
    ("filter_log_events", &["logs:FilterLogEvents"]),
    ("get_authorization_token", &["ecr:GetAuthorizationToken"]),
    ("get_caller_identity", &[]),
    ("get_log_events", &["logs:GetLogEvents"]),
    ("get_metric_data", &["cloudwatch:GetMetricData"]),
    ("get_object", &["s3:GetObject", "kms:Decrypt"]),
    ("get_secret_value", &["secretsmanager:GetSecretValue", "kms:Decrypt"]),
    ("list_multipart_uploads", &["s3:ListBucketMultipartUploads"]),
    ("list_objects_v2", &["s3:ListBucket"]),
    ("list_service_deployments", &["ecs:ListServiceDeployments"]),
    ("list_tags_for_resource", &["rds:ListTagsForResource"]),
    ("list_tasks", &["ecs:ListTasks"]),
    ("put_object", &["s3:PutObject", "kms:Decrypt", "kms:GenerateDataKey"]),
    (
        "register_task_definition",
        &["ecs:RegisterTaskDefinition", "ecs:TagResource", "iam:PassRole"],
    ),
    (
        "restore_db_instance_from_db_snapshot",
        &[
            "rds:RestoreDBInstanceFromDBSnapshot",
            "rds:AddTagsToResource",
            "kms:CreateGrant",
            "kms:DescribeKey",
        ],
    ),
    (
        "restore_db_instance_to_point_in_time",
        &[
            "rds:RestoreDBInstanceToPointInTime",
            "rds:AddTagsToResource",
            "kms:CreateGrant",
            "kms:DescribeKey",
        ],
    ),
    ("run_task", &["ecs:RunTask", "iam:PassRole"]),
    (
        "start_db_instance_automated_backups_replication",
        &[
            "rds:StartDBInstanceAutomatedBackupsReplication",
            "kms:CreateGrant",
            "kms:DescribeKey",
        ],
    ),
    (
        "stop_db_instance_automated_backups_replication",
        &["rds:StopDBInstanceAutomatedBackupsReplication"],
    ),
    ("stop_service_deployment", &["ecs:StopServiceDeployment"]),
    ("stop_task", &["ecs:StopTask"]),
    ("update_service", &["ecs:UpdateService"]),
    ("upload_part", &["s3:PutObject", "kms:Decrypt", "kms:GenerateDataKey"]),
];

/// What the names of AWS's operations begin with.
const VERBS: [&str; 34] = [
    "abort",
    "add",
    "attach",
    "cancel",
    "complete",
    "continue",
    "copy",
    "create",
    "delete",
    "deregister",
    "describe",
    "detach",
    "disable",
    "enable",
    "execute",
    "filter",
    "get",
    "head",
    "list",
    "modify",
    "put",
    "reboot",
    "register",
    "remove",
    "restore",
    "rotate",
    "run",
    "send",
    "start",
    "stop",
    "tag",
    "untag",
    "update",
    "upload",
];

/// Methods that begin like an operation and take no argument either, but read a field of an answer.
const NO_CALLS: [&str; 3] = ["restore_window", "tag_list", "upload_id"];

#[test]
fn the_deploy_role_may_do_what_is_called_and_nothing_else() {
    let calls = calls(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let mut findings = Vec::new();
    let mut needed: BTreeMap<&str, &Call> = BTreeMap::new();
    for call in &calls {
        match CALLS.iter().find(|(name, _)| *name == call.name) {
            Some((_, actions)) => needed.extend(actions.iter().map(|action| (*action, call))),
            None => findings.push(format!(
                "{} calls `{}`: add it to CALLS in tests/permissions.rs with the IAM action it needs, and that to {POLICY}",
                call.place, call.name
            )),
        }
    }
    let granted = granted(&fs::read_to_string(repository().join(POLICY)).unwrap());
    for (action, call) in &needed {
        if !granted.contains(*action) {
            findings.push(format!(
                "{} calls `{}`: add \"{action}\" to {POLICY}",
                call.place, call.name
            ));
        }
    }
    for action in granted.iter().filter(|action| !needed.contains_key(action.as_str())) {
        findings.push(format!("nothing here needs \"{action}\": take it out of {POLICY}"));
    }
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}

/// Every request is sent, so a file with more sends than known operations hides one behind a name that does not look like one.
#[test]
fn no_request_hides() {
    for (file, text) in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let code = code(&text);
        let (sent, known) = (code.matches(".send()").count(), operations(&code).len());
        assert!(
            sent <= known,
            "{}: {sent} requests are sent and {known} operations named",
            file.display()
        );
    }
}

#[test]
fn calls_and_actions_are_read_from_their_sources() {
    let code = "clients\n    .ecs\n    .describe_services() // .stop_task()\n    .cluster(x)\n    .send()\n self.get::<T>(key) found.listed()";
    assert_eq!(operations(&self::code(code)), [(3, "describe_services".to_owned())]);
    let policy = "Action = [\"ecs:RunTask\", \"s3:GetObject\"]\nCondition = { StringEquals = { \"iam:PassedToService\" = \"ecs-tasks.amazonaws.com\" } }\nResource = \"arn:aws:rds:x\"";
    assert_eq!(
        granted(policy),
        BTreeSet::from(["ecs:RunTask".to_owned(), "s3:GetObject".to_owned()])
    );
}

/// One call of the SDK.
struct Call {
    name: String,
    /// File and line.
    place: String,
}

fn calls(folder: &Path) -> Vec<Call> {
    let mut calls = Vec::new();
    for (file, text) in sources(folder) {
        let shown = file.strip_prefix(repository()).unwrap_or(&file).display().to_string();
        calls.extend(operations(&code(&text)).into_iter().map(|(line, name)| Call {
            name,
            place: format!("{shown}:{line}"),
        }));
    }
    assert!(calls.len() > 20, "the calls of tt-aws are not found any more");
    calls
}

/// Line and name of each `.verb_object()`.
fn operations(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (line, text) in (1..).zip(code.lines()) {
        for piece in text.split('.').skip(1) {
            let Some((name, _)) = piece.split_once("()") else {
                continue;
            };
            let verb = name.split('_').next().unwrap_or_default();
            let named = name.contains('_')
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
            if named && VERBS.contains(&verb) && !NO_CALLS.contains(&name) {
                found.push((line, name.to_owned()));
            }
        }
    }
    found
}

/// Without comments, and without the tests at the end of a file.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines: Vec<&str> = code
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect();
    lines.join("\n")
}

/// Every `"service:Action"` that is a value; a condition's key is followed by an equals sign.
fn granted(policy: &str) -> BTreeSet<String> {
    let mut actions = BTreeSet::new();
    let pieces: Vec<&str> = policy.split('"').collect();
    for pair in pieces.windows(2) {
        let [text, after] = pair else { continue };
        let Some((service, action)) = text.split_once(':') else {
            continue;
        };
        let service_fits = !service.is_empty()
            && service
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let action_fits = action.starts_with(|first: char| first.is_ascii_uppercase())
            && action.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if service_fits && action_fits && !after.trim_start().starts_with('=') {
            actions.insert((*text).to_owned());
        }
    }
    actions
}

fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut sources = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources.extend(self::sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            sources.push((path, text));
        }
    }
    sources.sort();
    sources
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
        .to_owned()
}
