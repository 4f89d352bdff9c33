//! Grafana's dashboards: no program of Grafana's checks them offline, so their expressions go to Prometheus's checker as rules.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::failure::Failure;

#[derive(Debug, Deserialize)]
struct Dashboard {
    uid: String,
    #[serde(default)]
    panels: Vec<Panel>,
}

#[derive(Debug, Deserialize)]
struct Panel {
    id: u32,
    #[serde(default)]
    targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
struct Target {
    #[serde(rename = "refId")]
    reference: String,
    expr: String,
}

#[derive(Serialize)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Serialize)]
struct Group {
    name: String,
    rules: Vec<Rule>,
}

#[derive(Serialize)]
struct Rule {
    record: String,
    expr: String,
    labels: BTreeMap<&'static str, String>,
}

/// Every expression of every dashboard in a folder as a recording rule, in JSON, which is YAML too. Fails when two dashboards
/// have one uid: Grafana would show only the last.
pub(super) fn as_rules(folder: &Path) -> Result<String, Failure> {
    let mut groups: Vec<Group> = Vec::new();
    for file in json_files(folder)? {
        let dashboard = read(&file)?;
        if groups.iter().any(|group| group.name == dashboard.uid) {
            return Err(Failure::Check(format!(
                "the uid `{}` of {} is another dashboard's already",
                dashboard.uid,
                file.display()
            )));
        }
        groups.push(group(dashboard));
    }
    serde_json::to_string_pretty(&Rules { groups }).map_err(|cause| Failure::Json {
        path: folder.to_owned(),
        cause,
    })
}

fn group(dashboard: Dashboard) -> Group {
    let rules = dashboard
        .panels
        .into_iter()
        .flat_map(|panel| panel.targets.into_iter().map(move |target| (panel.id, target)))
        .map(|(panel, target)| Rule {
            record: "dashboard:panel".to_owned(),
            expr: target.expr,
            labels: BTreeMap::from([("panel", panel.to_string()), ("reference", target.reference)]),
        })
        .collect();
    Group {
        name: dashboard.uid,
        rules,
    }
}

fn json_files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = fs::read_dir(folder).map_err(|cause| Failure::Read {
        path: folder.to_owned(),
        cause,
    })?;
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    Ok(files)
}

fn read(file: &Path) -> Result<Dashboard, Failure> {
    let text = fs::read(file).map_err(|cause| Failure::Read {
        path: file.to_owned(),
        cause,
    })?;
    serde_json::from_slice(&text).map_err(|cause| Failure::Json {
        path: file.to_owned(),
        cause,
    })
}
