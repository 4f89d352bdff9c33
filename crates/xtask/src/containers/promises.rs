//! What an image of ours promises, each promise asked of a running container.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    failure::Failure,
    interrupt::Interrupt,
    place::{Place, read},
    said::{ask, said},
    say,
};

use super::{database::Database, engine::Engine, image::Image, inside};

const PATIENCE: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(50);
/// Nobody's number; the Dockerfile and the Kubernetes manifests name it too.
const USER: &str = "65532";
const SERVICE: &str = "verify-service";

/// How each container runs here: as in production, and without a network.
const HARDENED: [&str; 4] = [
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--network=none",
];

/// What the engine itself lays into every container.
const OF_THE_ENGINE: [&str; 8] = [
    ".dockerenv",
    "dev/",
    "proc/",
    "sys/",
    "etc/hostname",
    "etc/hosts",
    "etc/mtab",
    "etc/resolv.conf",
];

/// Its user, its labels, and that nothing is in it but the program and certificates.
pub(super) fn of_every_image(engine: &Engine, images: &[&Image], interrupt: &Interrupt) -> Result<(), Failure> {
    for image in images {
        let name = &image.name;
        let user = engine.inspect(name, "{{.Config.User}}", interrupt)?;
        kept(
            &format!("{name} is for the user {user}"),
            user == format!("{USER}:{USER}"),
            &user,
        )?;

        let labels = engine.inspect(name, "{{json .Config.Labels}}", interrupt)?;
        let all = ["title", "description", "licenses", "version", "revision"]
            .iter()
            .all(|label| labels.contains(&format!("org.opencontainers.image.{label}\":")));
        kept(&format!("{name} says what it is in OCI's labels"), all, &labels)?;

        let strangers = strangers(engine, image, interrupt)?;
        kept(
            &format!("{name} holds {} and certificates, and nothing else", image.program),
            strangers.is_empty(),
            &strangers.join(" "),
        )?;

        let mut shell = hardened(engine, &["--rm", "--entrypoint=/bin/sh"]);
        shell.arg(name);
        let shell = ask("docker run", &mut shell, interrupt)?;
        // 127: the engine found no such program.
        kept(
            &format!("{name} has no shell"),
            shell.status.code() == Some(127),
            &shell.all(),
        )?;
    }
    Ok(())
}

/// Files that nobody expects in it.
fn strangers(engine: &Engine, image: &Image, interrupt: &Interrupt) -> Result<Vec<String>, Failure> {
    let container = said("docker create", &mut engine.docker(&["create", &image.name]), interrupt)?;
    let archive = image.archive.with_extension("contents.tar");
    let mut export = engine.docker(&["export", "--output"]);
    export.arg(&archive).arg(&container);
    said("docker export", &mut export, interrupt)?;
    let mut list = Command::new("tar");
    list.arg("--list").arg("--file").arg(&archive);
    let files = said("tar", &mut list, interrupt)?;
    let program = image.program.trim_start_matches('/');
    Ok(files
        .lines()
        .filter(|path| !OF_THE_ENGINE.iter().any(|made| path.starts_with(made)))
        .filter(|path| *path != program && !path.starts_with("etc/ssl/certs/"))
        .filter(|path| !["etc/", "etc/ssl/", "work/"].contains(path))
        .map(str::to_owned)
        .collect())
}

/// From an empty database to a graceful end.
pub(super) fn of_the_service(
    place: &Place,
    engine: &Engine,
    image: &Image,
    database: &Database,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    for time in ["migrates an empty database", "migrates again, and nothing happens"] {
        let mut migrate = with_database(engine, database, &["--rm"]);
        let migrated = ask("docker run", migrate.args([&image.name, "migrate"]), interrupt)?;
        kept(time, migrated.status.success(), &migrated.all())?;
    }

    let mut serve = with_database(
        engine,
        database,
        &["--detach", "--name", SERVICE, "--env=DRAIN_SECONDS=3"],
    );
    serve.arg(&image.name);
    said("docker run", &mut serve, interrupt)?;
    until(
        "it is healthy by its own program, as a platform asks it",
        interrupt,
        || {
            let mut health = engine.docker(&["exec", SERVICE, &image.program, "health"]);
            let health = ask("docker exec", &mut health, interrupt)?;
            Ok(health.status.success().then_some(health.out))
        },
    )?;

    let process = engine.inspect(SERVICE, "{{.State.Pid}}", interrupt)?;
    confined(&process)?;
    for path in ["/livez", "/readyz"] {
        let answer = inside::get(&process, 3000, path, interrupt)?;
        kept(&format!("{path} answers 200"), answer.is_ok(), &format!("{answer:?}"))?;
    }
    measured(place, &process, interrupt)?;

    said(
        "docker kill",
        &mut engine.docker(&["kill", "--signal=TERM", SERVICE]),
        interrupt,
    )?;
    until(
        "after SIGTERM /readyz says 503, so nobody new is sent",
        interrupt,
        || {
            let answer = inside::get(&process, 3000, "/readyz", interrupt)?;
            Ok(answer.err().filter(|answer| answer.contains("503")))
        },
    )?;
    let code = said("docker wait", &mut engine.docker(&["wait", SERVICE]), interrupt)?;
    kept("it ends by itself with exit code 0", code == "0", &code)
}

/// What the kernel says about its first process.
fn confined(process: &str) -> Result<(), Failure> {
    let status = read(&Path::new("/proc").join(process).join("status"))?;
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(|rest| rest.split_whitespace().collect::<Vec<_>>().join(" "))
            .unwrap_or_default()
    };
    let users = field("Uid");
    kept(
        "it runs as nobody's user, whatever it does",
        users == [USER; 4].join(" "),
        &users,
    )?;
    let capabilities = field("CapBnd");
    kept(
        "it has no capabilities and gets none",
        capabilities.bytes().all(|digit| digit == b'0') && field("NoNewPrivs") == "1",
        &capabilities,
    )?;
    let mounts = read(&Path::new("/proc").join(process).join("mountinfo"))?;
    let root = mounts
        .lines()
        .map(|line| line.split(' ').skip(4).take(2).collect::<Vec<_>>())
        .find(|fields| fields.first() == Some(&"/"));
    let options = root.and_then(|fields| fields.get(1).copied()).unwrap_or_default();
    kept(
        "its root file system is read-only",
        options.split(',').any(|option| option == "ro"),
        options,
    )
}

/// Every metric that a rule or a dashboard is about is one that the service gives.
fn measured(place: &Place, process: &str, interrupt: &Interrupt) -> Result<(), Failure> {
    // Whatever it answers, it was a request for a route.
    let _answer = inside::get(process, 3000, "/api/v1/projects", interrupt)?;
    let scrape = match inside::get(process, 9000, "/metrics", interrupt)? {
        Ok(scrape) => scrape,
        Err(answer) => return kept("/metrics answers 200", false, &answer),
    };
    let given: BTreeSet<&str> = scrape
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect();
    let mut wanted = BTreeSet::new();
    for file in [
        "prometheus/rules/task-tracker.yml",
        "grafana/dashboards/task-tracker.json",
    ] {
        wanted.extend(metrics_in(&read(&place.root().join("monitoring").join(file))?));
    }
    let missing: Vec<&String> = wanted.iter().filter(|name| !given.contains(name.as_str())).collect();
    kept(
        &format!(
            "all {} metrics of the rules and dashboards are in its /metrics",
            wanted.len()
        ),
        missing.is_empty() && !wanted.is_empty(),
        &format!("missing: {missing:?}"),
    )
}

/// The service's own metrics: one word each, and the families are few.
fn metrics_in(text: &str) -> BTreeSet<String> {
    text.split(|character: char| !(character.is_ascii_alphanumeric() || character == '_' || character == ':'))
        .filter(|word| word.starts_with("http_request") || word.starts_with("database_"))
        .map(str::to_owned)
        .collect()
}

/// It runs without a shell around it, and reads what is mounted.
pub(super) fn of_the_tool(place: &Place, engine: &Engine, image: &Image, interrupt: &Interrupt) -> Result<(), Failure> {
    let mut check = hardened(engine, &["--rm"]);
    for folder in ["environments", "infrastructure/sandbox"] {
        let from: PathBuf = place.root().join(folder);
        check.arg(format!("--volume={}:/work/{folder}:ro", from.display()));
    }
    let checked = ask("docker run", check.args([&image.name, "env", "check"]), interrupt)?;
    kept(
        "tt-ops checks the environments",
        checked.status.success(),
        &checked.all(),
    )
}

fn hardened(engine: &Engine, arguments: &[&str]) -> Command {
    let mut run = engine.docker(&["run"]);
    run.args(HARDENED).args(arguments);
    run
}

/// The URL holds a password, so it passes through the environment and no argument.
fn with_database(engine: &Engine, database: &Database, arguments: &[&str]) -> Command {
    let mut run = hardened(engine, arguments);
    run.arg("--env=DATABASE_URL")
        .arg(format!(
            "--volume={}:{}:ro",
            database.sockets().display(),
            Database::MOUNTED
        ))
        .env("DATABASE_URL", database.url());
    run
}

fn kept(promise: &str, is_kept: bool, saw: &str) -> Result<(), Failure> {
    if is_kept {
        say::line(format!("ok       {promise}"));
        return Ok(());
    }
    Err(Failure::Check(format!(
        "a promise is broken: {promise}; what was seen: {saw}"
    )))
}

/// Waits for an answer, and fails when it does not come.
fn until(
    promise: &str,
    interrupt: &Interrupt,
    mut look: impl FnMut() -> Result<Option<String>, Failure>,
) -> Result<(), Failure> {
    let end = Instant::now() + PATIENCE;
    loop {
        if look()?.is_some() {
            return kept(promise, true, "");
        }
        if Instant::now() >= end {
            return kept(promise, false, "it did not happen in a minute");
        }
        interrupt.pause(LOOK)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_found_in_expressions_and_recordings_are_not() {
        let found = metrics_in(
            r#"sum(rate(http_requests_total{status=~"5.."}[5m])) / task_tracker:requests:rate5m
               "expr": "(database_pool_connections - database_pool_idle_connections) > 0.9""#,
        );
        assert_eq!(
            found.into_iter().collect::<Vec<_>>(),
            [
                "database_pool_connections",
                "database_pool_idle_connections",
                "http_requests_total"
            ]
        );
    }
}
