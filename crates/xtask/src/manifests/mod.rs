//! `make check-manifests`: every file that another program will read, held against that program or its schema.
//!
//! GitLab's pipeline, Dockerfile, Compose, Kubernetes, Prometheus, Alertmanager, Grafana; and the runbooks, which people read. Where a
//! checker is missing, that is said and the check left out, never passed in silence.

mod dashboards;
mod pipeline;
mod runbooks;
mod tools;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    failure::Failure,
    interrupt::Interrupt,
    on_path::is_there,
    place::Place,
    python::{self, Programs},
    said, say,
};

/// The version of Kubernetes whose schema the manifests must fit.
const KUBERNETES: &str = "1.31";
const OVERLAYS: [&str; 2] = ["staging", "production"];

/// Runs every check there is a checker for; fails at the end if any complained.
pub(crate) fn run(place: &Place, interrupt: &Interrupt) -> Result<(), Failure> {
    let mut checks = Checks {
        place,
        interrupt,
        passed: 0,
        skipped: 0,
        complaints: 0,
    };
    match python::install(&place.results("manifests"), include_str!("requirements.txt"), interrupt)? {
        Programs::Installed(programs) => {
            pipeline_schema(&mut checks, &programs)?;
            images(&mut checks, &programs)?;
            kubernetes(&mut checks, &programs)?;
        }
        Programs::Absent(why) => checks.skipped("hadolint and the schemas of GitLab, Compose and Kubernetes", &why),
    }
    checks.judged("GitLab: what the pipeline promises", &pipeline::complaints(place)?);
    prometheus(&mut checks)?;
    alertmanager(&mut checks)?;
    let complaints = runbooks::complaints(place.root())?;
    checks.judged(
        "Runbooks: a page for each alarm, links that lead somewhere",
        &complaints,
    );
    checks.verdict()
}

fn pipeline_schema(checks: &mut Checks<'_>, programs: &Path) -> Result<(), Failure> {
    let mut schema = Command::new(programs.join("check-jsonschema"));
    schema.args([
        "--builtin-schema",
        "vendor.gitlab-ci",
        "--data-transform",
        "gitlab-ci",
        pipeline::FILE,
    ]);
    checks.run("GitLab: schema", schema)
}

fn images(checks: &mut Checks<'_>, programs: &Path) -> Result<(), Failure> {
    let mut hadolint = Command::new(programs.join("hadolint"));
    hadolint.arg("infrastructure/docker/Dockerfile");
    checks.run("Dockerfile: hadolint", hadolint)?;

    let mut schema = Command::new(programs.join("check-jsonschema"));
    schema.args([
        "--builtin-schema",
        "vendor.compose-spec",
        "infrastructure/docker/docker-compose.yml",
    ]);
    checks.run("Compose: schema", schema)?;

    // It also resolves anchors and variables, and needs no engine for that.
    let Some(mut compose) = tools::compose() else {
        checks.skipped(
            "Compose's own reading",
            "docker-compose is missing (apt-get install docker-compose)",
        );
        return Ok(());
    };
    compose.args([
        "--file",
        "infrastructure/docker/docker-compose.yml",
        "config",
        "--quiet",
    ]);
    checks.run("Compose: its own reading", compose)
}

fn kubernetes(checks: &mut Checks<'_>, programs: &Path) -> Result<(), Failure> {
    let validate = |files: &[PathBuf]| {
        let mut command = Command::new(programs.join("kubernetes-validate"));
        command
            .args(["--strict", "--quiet", "--kubernetes-version", KUBERNETES])
            .args(files);
        command
    };
    checks.run("Kubernetes: base", validate(&complete_manifests(checks.place)?))?;

    let Some(kustomize) = tools::kustomize() else {
        checks.skipped(
            "the Kubernetes overlays",
            "neither kustomize nor kubectl is on PATH (go install sigs.k8s.io/kustomize/kustomize/v5@latest)",
        );
        return Ok(());
    };
    for overlay in OVERLAYS {
        let mut build = kustomize.command();
        build.arg(format!("infrastructure/kubernetes/overlays/{overlay}"));
        let Some(objects) = checks.run_for_output(&format!("Kubernetes: {overlay} is built"), build)? else {
            continue;
        };
        let file = checks.write(&format!("{overlay}.yaml"), &objects)?;
        checks.run(&format!("Kubernetes: {overlay}"), validate(&[file]))?;
    }
    Ok(())
}

/// What is a whole object by itself. The overlays' patches are not: only kustomize makes them so.
fn complete_manifests(place: &Place) -> Result<Vec<PathBuf>, Failure> {
    let folder = place.root().join("infrastructure/kubernetes");
    let read = |path: &Path| {
        fs::read_dir(path).map_err(|cause| Failure::Read {
            path: path.to_owned(),
            cause,
        })
    };
    let mut files: Vec<PathBuf> = read(&folder.join("base"))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|file| file.file_name().is_some_and(|name| name != "kustomization.yaml"))
        .collect();
    files.extend(OVERLAYS.map(|overlay| folder.join("overlays").join(overlay).join("namespace.yaml")));
    files.sort();
    Ok(files)
}

fn prometheus(checks: &mut Checks<'_>) -> Result<(), Failure> {
    if !is_there("promtool") {
        checks.skipped(
            "Prometheus and the dashboards",
            "promtool is missing (apt-get install --no-install-recommends prometheus)",
        );
        return Ok(());
    }
    let promtool = |arguments: &[&str]| {
        let mut command = Command::new("promtool");
        command.args(arguments);
        command
    };
    checks.run(
        "Prometheus: configuration and rules",
        promtool(&["check", "config", "monitoring/prometheus/prometheus.yml"]),
    )?;
    checks.run(
        "Prometheus: when alerts fire",
        promtool(&["test", "rules", "monitoring/prometheus/rules.test.yml"]),
    )?;
    let rules = dashboards::as_rules(&checks.place.root().join("monitoring/grafana/dashboards"))?;
    let file = checks.write("dashboards.yml", &rules)?;
    checks.run(
        "Grafana: every panel's expression",
        promtool(&["check", "rules", &file.to_string_lossy()]),
    )
}

fn alertmanager(checks: &mut Checks<'_>) -> Result<(), Failure> {
    if !is_there("amtool") {
        checks.skipped(
            "Alertmanager",
            "amtool is missing (apt-get install --no-install-recommends prometheus-alertmanager)",
        );
        return Ok(());
    }
    let mut amtool = Command::new("amtool");
    amtool.args(["check-config", "monitoring/alertmanager/alertmanager.yml"]);
    checks.run("Alertmanager: configuration", amtool)
}

/// The checks of one run and how many complained.
struct Checks<'a> {
    place: &'a Place,
    interrupt: &'a Interrupt,
    passed: usize,
    skipped: usize,
    complaints: usize,
}

impl Checks<'_> {
    fn run(&mut self, what: &str, command: Command) -> Result<(), Failure> {
        self.run_for_output(what, command).map(drop)
    }

    /// What it printed, unless it complained.
    fn run_for_output(&mut self, what: &str, mut command: Command) -> Result<Option<String>, Failure> {
        let said = said::ask(what, command.current_dir(self.place.root()), self.interrupt)?;
        if said.status.success() {
            self.passed += 1;
            say::line(format!("ok       {what}"));
            return Ok(Some(said.out));
        }
        let complaints: Vec<String> = said.all().lines().map(ToOwned::to_owned).collect();
        self.failed(what, &complaints);
        Ok(None)
    }

    /// What was looked at here, and everything that speaks against it.
    fn judged(&mut self, what: &str, complaints: &[String]) {
        if complaints.is_empty() {
            self.passed += 1;
            say::line(format!("ok       {what}"));
        } else {
            self.failed(what, complaints);
        }
    }

    fn failed(&mut self, what: &str, complaints: &[String]) {
        self.complaints += 1;
        say::line(format!("FAILED   {what}"));
        for line in complaints {
            say::line(format!("           {line}"));
        }
    }

    fn skipped(&mut self, what: &str, why: &str) {
        self.skipped += 1;
        say::line(format!("skipped: {what}: {why}"));
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf, Failure> {
        let path = self.place.results("manifests").join(name);
        let written = path
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(&path, text));
        match written {
            Ok(()) => Ok(path),
            Err(cause) => Err(Failure::Write { path, cause }),
        }
    }

    fn verdict(self) -> Result<(), Failure> {
        let Self {
            passed,
            skipped,
            complaints,
            ..
        } = self;
        let counted = format!("manifests: {passed} checks passed, {complaints} failed, {skipped} skipped");
        if complaints > 0 {
            return Err(Failure::Check(counted));
        }
        say::line(counted);
        Ok(())
    }
}
