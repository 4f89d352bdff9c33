//! `task-tracker doctor`: whether `serve` would have what it needs, looked at from where it would run.
//!
//! Reads the same flags, variables and secrets as `serve`, opens one connection, lists the bucket, changes nothing. A line for each finding, and what to do
//! where something is wrong. Never shows a secret.

mod database;

use std::{
    env,
    error::Error,
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use clap::{Args, ValueEnum};
use serde::Serialize;
use tokio::net::TcpStream;

use crate::{
    attachment::Bucket,
    config::{DatabaseUrl, Settings},
    descriptors,
    outbound::Outbound,
    secrets::Secrets,
};

/// The longest that Amazon ECS waits between asking a container to end and ending it (Amazon ECS API Reference,
/// `ContainerDefinition`, `stopTimeout`), and how long when nothing is said.
const LONGEST_STOP: Duration = Duration::from_mins(2);
const USUAL_STOP: Duration = Duration::from_secs(30);
/// Elastic Load Balancing, Application Load Balancers: connection idle timeout.
const BALANCERS_IDLE: Duration = Duration::from_mins(1);
const PATIENCE: Duration = Duration::from_secs(3);

/// What `serve` would be told, and how to report.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 nothing is in the way of serving, warnings included; 1 something is; 2 wrong usage."
)]
pub(crate) struct Options {
    #[command(flatten)]
    settings: Settings,

    /// Tasks that serve at once at most, both sides of a blue-green deployment counted
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1000))]
    tasks: u32,

    /// How to report: a line for people, or one JSON object a line
    #[arg(long, default_value = "human")]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Lines
    Human,
    /// Objects with `v`, `check`, `verdict`, `detail` and, where something is to be done, `next`
    Json,
}

/// What was looked at, and what was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    check: &'static str,
    verdict: Verdict,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Ok,
    /// It serves, and something about it will hurt.
    Warning,
    /// It would not serve, or not well.
    Failed,
    /// It is not configured, or what it needs has failed.
    Skipped,
}

/// Looks at everything, and says each thing as soon as it is known.
pub(crate) async fn run(options: &Options) -> ExitCode {
    descriptors::raise();
    let mut is_well = true;
    let mut say = |finding: Finding| {
        is_well &= finding.verdict != Verdict::Failed;
        tell(options.output, &finding);
    };
    say(settings(&options.settings));
    say(open_files(&options.settings, descriptors::limit()));
    match DatabaseUrl::from_environment().await {
        Ok(url) => {
            say(secret(&url));
            database::look(&url, &options.settings, options.tasks, &mut say).await;
        }
        Err(cause) => say(Finding::failed(
            "secrets",
            words(&cause),
            "name its secret in DATABASE_SECRET_ARN, or set it in the environment or in a file",
        )),
    }
    match Secrets::from_environment().await {
        Ok(secrets) => {
            say(webhooks(&secrets));
            say(attachments(&options.settings, &secrets).await);
        }
        Err(cause) => {
            say(Finding::failed(
                "webhooks",
                words(&cause),
                "correct the variable, or what its secret holds",
            ));
            say(Finding::skipped("attachments", "the other secrets cannot be used"));
        }
    }
    say(traces(|name| env::var(name).ok()).await);
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Finding {
    fn ok(check: &'static str, detail: impl Into<String>) -> Self {
        Self {
            check,
            verdict: Verdict::Ok,
            detail: detail.into(),
            next: None,
        }
    }

    fn skipped(check: &'static str, detail: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Skipped,
            ..Self::ok(check, detail)
        }
    }

    fn warning(check: &'static str, detail: impl Into<String>, next: &'static str) -> Self {
        Self {
            verdict: Verdict::Warning,
            next: Some(next),
            ..Self::ok(check, detail)
        }
    }

    fn failed(check: &'static str, detail: impl Into<String>, next: &'static str) -> Self {
        Self {
            verdict: Verdict::Failed,
            ..Self::warning(check, detail, next)
        }
    }
}

/// What could be read and still cannot go well together.
fn settings(settings: &Settings) -> Finding {
    const CHECK: &str = "settings";
    let stop = settings.drain + settings.finish;
    let seconds = stop.as_secs_f64();
    if stop >= LONGEST_STOP {
        let detail =
            format!("drain and finish take {seconds} s together, and a task is killed after 120 s at the latest");
        return Finding::failed(CHECK, detail, "lower DRAIN_SECONDS or FINISH_SECONDS");
    }
    if stop >= USUAL_STOP {
        let detail = format!(
            "drain and finish take {seconds} s together, and a task is killed after 30 s unless its definition says otherwise"
        );
        return Finding::warning(CHECK, detail, "lower them, or set stopTimeout above it");
    }
    if settings.idle <= BALANCERS_IDLE {
        let detail = format!(
            "idle connections are closed after {} s, before the load balancer does",
            settings.idle.as_secs_f64()
        );
        return Finding::warning(CHECK, detail, "set IDLE_SECONDS above 60");
    }
    if settings.request > settings.finish {
        let detail = "a request may take longer than the end of the service waits for it";
        return Finding::warning(CHECK, detail, "set FINISH_SECONDS above REQUEST_SECONDS");
    }
    let (release, host) = (settings.release.as_str(), settings.host);
    let detail = format!(
        "release {release} on {host}, port {}, metrics on {}",
        settings.port, settings.metrics_port
    );
    Finding::ok(CHECK, detail)
}

/// Whether as many connections fit into the open files of a process as are wanted.
fn open_files(settings: &Settings, limit: usize) -> Finding {
    const CHECK: &str = "open-files";
    const NEXT: &str = "raise the limit (`ulimits` of a task definition, `LimitNOFILE` of a unit, `ulimit -n`)";
    match descriptors::places(settings, limit) {
        Err(cause) => Finding::failed(CHECK, cause.to_string(), NEXT),
        Ok(places) => {
            let detail = format!("{limit} may be open: {places} connections, and what the service needs beside them");
            if settings.max_connections.is_none() && places < descriptors::USUAL {
                Finding::warning(CHECK, detail, NEXT)
            } else {
                Finding::ok(CHECK, detail)
            }
        }
    }
}

/// Whether messages can be signed.
fn webhooks(secrets: &Secrets) -> Finding {
    const CHECK: &str = "webhooks";
    match &secrets.webhook_keys {
        Some(_) => Finding::ok(CHECK, "there are keys to keep the secrets of webhooks with"),
        None => Finding::skipped(CHECK, "no WEBHOOK_KEYS: there are no webhooks"),
    }
}

/// Whether the bucket can be listed, which takes the way there, credentials, and a signature that it accepts.
async fn attachments(settings: &Settings, secrets: &Secrets) -> Finding {
    const CHECK: &str = "attachments";
    const NEXT: &str =
        "check the bucket's name and Region, the way to S3, and that the task's role may s3:ListBucket it";
    if settings.attachments.bucket.as_deref().unwrap_or_default().is_empty() {
        return Finding::skipped(CHECK, "no ATTACHMENTS_BUCKET: there are no attachments");
    }
    let bucket = match Bucket::open(&settings.attachments, secrets.credentials.as_ref(), &Outbound::new()) {
        Ok(Some(bucket)) => bucket,
        Ok(None) => {
            let detail = "there are no credentials for the bucket, and so no attachments";
            let next = "give the task a role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
            return Finding::warning(CHECK, detail, next);
        }
        Err(cause) => return Finding::failed(CHECK, cause.to_string(), NEXT),
    };
    match bucket.answers().await {
        Ok(()) => Finding::ok(CHECK, "the bucket answers, and knows the signature"),
        Err(cause) => Finding::failed(CHECK, words(&cause), NEXT),
    }
}

/// An error with its causes.
fn words(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        words.push_str(": ");
        words.push_str(&next.to_string());
        cause = next.source();
    }
    words
}

/// That it is there and a URL is known by now; only who logs in is shown.
fn secret(url: &DatabaseUrl) -> Finding {
    Finding::ok("secrets", format!("the database URL is {}", url.came()))
}

/// Whether somebody listens where traces go.
async fn traces(variable: impl Fn(&str) -> Option<String>) -> Finding {
    const CHECK: &str = "traces";
    let named = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
    let Some(endpoint) = named
        .into_iter()
        .find_map(|name| variable(name).filter(|value| !value.is_empty()))
    else {
        return Finding::skipped(CHECK, "no OTEL_EXPORTER_OTLP_ENDPOINT: none are sent");
    };
    let address = reqwest::Url::parse(&endpoint).ok().and_then(|url| {
        let port = url.port_or_known_default()?;
        Some((url.host_str()?.trim_matches(['[', ']']).to_owned(), port))
    });
    let Some((host, port)) = address else {
        return Finding::failed(
            CHECK,
            "the endpoint is no URL",
            "give one such as http://collector:4318",
        );
    };
    let there = format!("{host}:{port}");
    match tokio::time::timeout(PATIENCE, TcpStream::connect((host, port))).await {
        Ok(Ok(_)) => Finding::ok(CHECK, format!("somebody listens at {there}")),
        Ok(Err(_)) | Err(_) => Finding::warning(
            CHECK,
            format!("nobody answers at {there}"),
            "start the collector, or correct OTEL_EXPORTER_OTLP_ENDPOINT; the service itself does not need it",
        ),
    }
}

#[derive(Serialize)]
struct Line<'f> {
    v: u32,
    #[serde(flatten)]
    finding: &'f Finding,
}

fn tell(output: Output, finding: &Finding) {
    let mut out = io::stdout().lock();
    // Nobody is left to tell when the output is gone; the exit code still says it.
    drop(match output {
        Output::Human => {
            let word = match finding.verdict {
                Verdict::Ok => "ok",
                Verdict::Warning => "warning",
                Verdict::Failed => "FAILED",
                Verdict::Skipped => "-",
            };
            let next = finding.next.map_or_else(String::new, |next| format!("; {next}"));
            writeln!(out, "{word:8}{:13}{}{next}", finding.check, finding.detail)
        }
        Output::Json => match serde_json::to_string(&Line { v: 1, finding }) {
            Ok(line) => writeln!(out, "{line}"),
            Err(cause) => Err(cause.into()),
        },
    });
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        settings: Settings,
    }

    #[test]
    fn settings_that_cannot_go_well_together_are_found() {
        for (flags, verdict, word) in [
            ("", Verdict::Ok, "port 3000"),
            ("--drain-seconds 60 --finish-seconds 60", Verdict::Failed, "120 s"),
            ("--drain-seconds 15", Verdict::Warning, "30 s"),
            ("--idle-seconds 60", Verdict::Warning, "load balancer"),
            ("--finish-seconds 5", Verdict::Warning, "longer"),
        ] {
            let words = ["serve"].into_iter().chain(flags.split_whitespace());
            let found = settings(&Arguments::parse_from(words).settings);
            assert_eq!(found.verdict, verdict, "{flags}: {found:?}");
            assert!(found.detail.contains(word), "{flags}: {found:?}");
        }
    }

    #[test]
    fn files_that_cannot_be_opened_are_missed_before_they_are_needed() {
        for (flags, limit, verdict) in [
            ("", 65_535, Verdict::Ok),
            ("", 1_024, Verdict::Warning),
            ("--max-connections 700", 1_024, Verdict::Ok),
            ("--max-connections 10000", 1_024, Verdict::Failed),
        ] {
            let words = ["serve"].into_iter().chain(flags.split_whitespace());
            let found = open_files(&Arguments::parse_from(words).settings, limit);
            assert_eq!(found.verdict, verdict, "{flags}: {found:?}");
        }
    }

    #[tokio::test]
    async fn whether_somebody_collects_traces_is_found_out() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let to = async |endpoint: &str| {
            let endpoint = endpoint.to_owned();
            traces(move |name| (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| endpoint.clone()))
                .await
                .verdict
        };
        assert_eq!(to("").await, Verdict::Skipped);
        assert_eq!(to("collector").await, Verdict::Failed);
        assert_eq!(to(&format!("http://{address}")).await, Verdict::Ok);
        drop(listener);
        assert_eq!(to(&format!("http://{address}")).await, Verdict::Warning);
    }
}
